import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, nonEmpty, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { CheckOptions } from "./check.ts";

export function addExecutorsCommands(program: Command, terminal: Terminal): void {
  const executors = program.command("executors").description("the configured executors");
  executors
    .command("list")
    .description("list the executors in [core] executor; the first is the default")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("executors list"))
    .action(async (options: OutputOptions) => (await import("./list.ts")).listExecutors(terminal, options));
  executors
    .command("check")
    .description(
      "launch a worker that runs no task, and show whether it starts, reaches the API and gets its log to the log store",
    )
    .argument("[name]", "an executor's name or alias; default: all configured ones, one after another")
    .option("-t, --timeout <seconds>", "time limit for each executor", wholeNumber(1, 3_600), 180)
    .option("-q, --queue <name>", "queue of the queue executor; overrides [operators] default_queue", nonEmpty)
    .option(
      "--api-url <url>",
      "URL of the API for the workers; overrides [api] base_url; not for the queue executor, whose workers have their own",
      nonEmpty,
    )
    .addHelpText("after", exampleOf("executors check ecs --timeout 300"))
    .action(async (name: string | undefined, options: CheckOptions) =>
      (await import("./check.ts")).checkAll(terminal, name, options),
    );
}
