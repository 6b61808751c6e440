import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { RunOptions } from "./run.ts";
import type { StartOptions } from "./start.ts";

export function addWorkerCommands(program: Command, terminal: Terminal): void {
  const worker = program.command("worker").description("run what executors hand out, and steer the queue executor's workers");
  worker
    .command("run")
    .description("run one workload and report how it ended; needs the API and nothing else")
    .requiredOption("--workload <json|@file|env>", 'the workload: its JSON, a file that holds it, or "env" for BARAM_WORKLOAD')
    .option("--api-url <url>", "where the API is instead of [api] base_url")
    .addHelpText("after", exampleOf("worker run --workload @workload.json --api-url https://baram.example.org"))
    .action(async (options: RunOptions) => (await import("./run.ts")).runWorkload(terminal, options));
  worker
    .command("start")
    .description("run a worker here; it needs the broker, the API and a worker's token, and no database")
    .option("-q, --queues <names>", "queues to take tasks from, separated by commas, instead of [operators] default_queue")
    .option("-c, --concurrency <number>", "tasks to run at once instead of [queue] worker_concurrency", wholeNumber(1, 10_000))
    .option("--autoscale <max,min>", "bounds between which the concurrency follows the load, instead of [queue] worker_autoscale")
    .option("-n, --name <name>", "the worker's name in the list, instead of the host's")
    .addHelpText("after", exampleOf("worker start --queues default,heavy --concurrency 16 --name etl-1"))
    .action(async (options: StartOptions) => (await import("./start.ts")).startOne(options));
  worker
    .command("token")
    .description("print a token for workers; made where Baram's API server runs, since it is signed with its secret")
    .option("--days <number>", "how long it is good", wholeNumber(1, 3_650), 365)
    .addHelpText("after", exampleOf("worker token --days 90"))
    .action(async (options: { days: number }) => (await import("./token.ts")).printToken(terminal, options));
  worker
    .command("list")
    .description("list the workers and what they do")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("worker list -o json"))
    .action(async (options: OutputOptions) => (await import("./list.ts")).listAll(terminal, options));
  worker
    .command("stop")
    .description("let a worker end what it runs, and end")
    .argument("<name>")
    .addHelpText("after", exampleOf("worker stop etl-1"))
    .action(async (name: string) => (await import("./request-changes.ts")).stopOne(terminal, name));
  worker
    .command("shutdown")
    .description("let every worker end what it runs, and end")
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", exampleOf("worker shutdown --yes"))
    .action(async (options: { yes: boolean }) => (await import("./request-changes.ts")).stopAll(terminal, options.yes));
  worker
    .command("add-queue")
    .description("let a worker take tasks from further queues")
    .argument("<name>")
    .argument("<queues>", "separated by commas")
    .addHelpText("after", exampleOf("worker add-queue etl-1 heavy"))
    .action(async (name: string, queues: string) =>
      (await import("./request-changes.ts")).changeQueues(terminal, name, { add: queues }),
    );
  worker
    .command("remove-queue")
    .description("let a worker take no more tasks from queues; what it has of them it ends")
    .argument("<name>")
    .argument("<queues>", "separated by commas")
    .addHelpText("after", exampleOf("worker remove-queue etl-1 heavy"))
    .action(async (name: string, queues: string) =>
      (await import("./request-changes.ts")).changeQueues(terminal, name, { remove: queues }),
    );
}
