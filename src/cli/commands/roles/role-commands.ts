import type { Command } from "commander";
import { exampleOf, nonEmpty, wholeNumber } from "../flags.ts";

export function addRoleCommands(program: Command): void {
  program
    .command("standalone")
    .description("run all roles in one process, with an embedded PostgreSQL if no database is configured")
    .option("-H, --host <address>", "address to listen on; overrides [api] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on; overrides [api] port; 0 = any free port", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("standalone --port 8081"))
    .action(async (options: { host?: string; port?: number }) => (await import("./standalone.ts")).standalone(options));
  program
    .command("api-server")
    .description("run the API server")
    .option("-H, --host <address>", "address to listen on; overrides [api] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on; overrides [api] port; 0 = any free port", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("api-server --host 0.0.0.0 --port 8080"))
    .action(async (options: { host?: string; port?: number }) => (await import("./api-server.ts")).apiServer(options));
  program
    .command("scheduler")
    .description("run a scheduler and its executors; you can run several")
    .addHelpText("after", exampleOf("scheduler"))
    .action(async () => (await import("./scheduler.ts")).scheduler());
  program
    .command("triggerer")
    .description("run a triggerer for deferred tasks; you can run several")
    .option("--capacity <number>", "maximum number of triggers; overrides [triggerer] capacity", wholeNumber(1, 1_000_000))
    .addHelpText("after", exampleOf("triggerer --capacity 1000"))
    .action(async (options: { capacity?: number }) => (await import("./triggerer.ts")).triggerer(options));
  program
    .command("dag-processor")
    .description("run a dag-processor, which loads the DAG files")
    .addHelpText("after", exampleOf("dag-processor"))
    .action(async () => (await import("./dag-processor.ts")).dagProcessor());
  program
    .command("monitor")
    .description("run a web page that shows the queues and workers of the queue executor")
    .option("-H, --host <address>", "address to listen on; overrides [monitor] host", nonEmpty)
    .option("-p, --port <number>", "port to listen on; overrides [monitor] port; 0 = any free port", wholeNumber(0, 65_535))
    .addHelpText("after", exampleOf("monitor --port 5555"))
    .action(async (options: { host?: string; port?: number }) => (await import("./monitor.ts")).monitor(options));
}
