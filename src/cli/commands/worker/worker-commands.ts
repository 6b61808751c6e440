import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf } from "../flags.ts";
import type { RunOptions } from "./run.ts";

export function addWorkerCommands(program: Command, terminal: Terminal): void {
  const worker = program.command("worker").description("run what executors hand out");
  worker
    .command("run")
    .description("run one workload and report how it ended; needs the API and nothing else")
    .requiredOption("--workload <json|@file|env>", 'the workload: its JSON, a file that holds it, or "env" for BARAM_WORKLOAD')
    .option("--api-url <url>", "where the API is instead of [api] base_url")
    .addHelpText("after", exampleOf("worker run --workload @workload.json --api-url https://baram.example.org"))
    .action(async (options: RunOptions) => (await import("./run.ts")).runWorkload(terminal, options));
}
