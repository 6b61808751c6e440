import type { Command } from "commander";
import { exampleOf, nonEmpty, wholeNumber } from "../flags.ts";

export function addRoleCommands(program: Command): void {
  program
    .command("standalone")
    .description("run every role in this process, with an embedded PostgreSQL where no database is configured")
    .option("-H, --host <address>", "address to listen on instead of [api] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on instead of [api] port; 0 = any free one", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("standalone --port 8081"))
    .action(async (options: { host?: string; port?: number }) => (await import("./standalone.ts")).standalone(options));
  program
    .command("api-server")
    .description("run the server of the API")
    .option("-H, --host <address>", "address to listen on instead of [api] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on instead of [api] port; 0 = any free one", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("api-server --host 0.0.0.0 --port 8080"))
    .action(async (options: { host?: string; port?: number }) => (await import("./api-server.ts")).apiServer(options));
  program
    .command("scheduler")
    .description("run a scheduler and its executors; several may run at once")
    .addHelpText("after", exampleOf("scheduler"))
    .action(async () => (await import("./scheduler.ts")).scheduler());
  program
    .command("triggerer")
    .description("run a triggerer, which waits in the place of deferred tasks; several may run at once")
    .option("--capacity <number>", "triggers to run at once instead of [triggerer] capacity", wholeNumber(1, 1_000_000))
    .addHelpText("after", exampleOf("triggerer --capacity 1000"))
    .action(async (options: { capacity?: number }) => (await import("./triggerer.ts")).triggerer(options));
  program
    .command("dag-processor")
    .description("run the process that reads the DAG files")
    .addHelpText("after", exampleOf("dag-processor"))
    .action(async () => (await import("./dag-processor.ts")).dagProcessor());
  program
    .command("monitor")
    .description("run a page about the queue executor's queues and workers")
    .option("-H, --host <address>", "address to listen on instead of [monitor] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on instead of [monitor] port; 0 = any free one", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("monitor --port 5555"))
    .action(async (options: { host?: string; port?: number }) => (await import("./monitor.ts")).monitor(options));
}
