import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, nonEmpty, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { RunOptions } from "./run.ts";
import type { StartOptions } from "./start.ts";
import type { TokenOptions } from "./token.ts";

export function addWorkerCommands(program: Command, terminal: Terminal): void {
  const worker = program.command("worker").description("run workloads, and manage the workers of the queue executor");
  worker
    .command("run")
    .description("run one workload and report its outcome; needs only the API")
    .requiredOption(
      "--workload <json|@file|env>",
      'the workload: JSON, @ and a file that contains it, or "env" for BARAM_WORKLOAD',
    )
    .option("--api-url <url>", "URL of the API; overrides [api] base_url")
    .addHelpText("after", exampleOf("worker run --workload @workload.json --api-url https://baram.example.org"))
    .action(async (options: RunOptions) => (await import("./run.ts")).runWorkload(terminal, options));
  worker
    .command("start")
    .description("run a queue worker; needs the broker, the API and a worker token, but no database")
    .option("-q, --queues <names>", "comma-separated queues; overrides [operators] default_queue")
    .option(
      "-c, --concurrency <number>",
      "number of parallel tasks; overrides [queue] worker_concurrency",
      wholeNumber(1, 10_000),
    )
    .option("--autoscale <max,min>", "range of the concurrency, which follows the load; overrides [queue] worker_autoscale")
    .option("-n, --name <name>", "name of the worker; default: the host name")
    .addHelpText("after", exampleOf("worker start --queues default,heavy --concurrency 16 --name etl-1"))
    .action(async (options: StartOptions) => (await import("./start.ts")).startOne(options));
  worker
    .command("token")
    .description("print a worker's token; run it where the API server's JWT secret is available")
    .option("-n, --name <name>", "name of the worker; a prefix and * for all names that begin with it, as 'fleet-*'")
    .option(
      "--renew <file>",
      "write the token into this file, for the worker of the one that it contains unless --name is given",
      nonEmpty,
    )
    .option("--days <number>", "lifetime of the token in days", wholeNumber(1, 3_650), 365)
    .addHelpText("after", exampleOf("worker token --name etl-1 --days 90"))
    .action(async (options: TokenOptions) => (await import("./token.ts")).makeToken(terminal, options));
  worker
    .command("list")
    .description("list the workers and their tasks")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("worker list -o json"))
    .action(async (options: OutputOptions) => (await import("./list.ts")).listAll(terminal, options));
  worker
    .command("stop")
    .description("ask a worker to finish its tasks and exit")
    .argument("<name>")
    .addHelpText("after", exampleOf("worker stop etl-1"))
    .action(async (name: string) => (await import("./request-changes.ts")).stopOne(terminal, name));
  worker
    .command("shutdown")
    .description("ask all workers to finish their tasks and exit")
    .option("-y, --yes", "do not ask for confirmation", false)
    .addHelpText("after", exampleOf("worker shutdown --yes"))
    .action(async (options: { yes: boolean }) => (await import("./request-changes.ts")).stopAll(terminal, options.yes));
  worker
    .command("add-queue")
    .description("add queues to a worker")
    .argument("<name>")
    .argument("<queues>", "comma-separated queue names")
    .addHelpText("after", exampleOf("worker add-queue etl-1 heavy"))
    .action(async (name: string, queues: string) =>
      (await import("./request-changes.ts")).changeQueues(terminal, name, { add: queues }),
    );
  worker
    .command("remove-queue")
    .description("remove queues from a worker; it finishes the tasks that it already has")
    .argument("<name>")
    .argument("<queues>", "comma-separated queue names")
    .addHelpText("after", exampleOf("worker remove-queue etl-1 heavy"))
    .action(async (name: string, queues: string) =>
      (await import("./request-changes.ts")).changeQueues(terminal, name, { remove: queues }),
    );
}
