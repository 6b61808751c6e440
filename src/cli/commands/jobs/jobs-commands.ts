import { type Command, Option } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, wholeNumber } from "../flags.ts";
import type { CheckOptions } from "./check.ts";

const JOB_TYPES = ["SchedulerJob", "DagProcessorJob", "ApiServerJob", "TriggererJob", "WorkerJob"];

export function addJobsCommands(program: Command, terminal: Terminal): void {
  const jobs = program.command("jobs").description("running roles");
  jobs
    .command("check")
    .description("check that a role is alive; exit code 1 if none is")
    .addOption(new Option("--job-type <type>", "only roles of this type").choices(JOB_TYPES))
    .option("--hostname <name>", "only roles on this host")
    .option("--local", "only roles on this host", false)
    .option("--limit <number>", "maximum number of jobs to check; 0 = all", wholeNumber(0, 1_000_000), 1)
    .option("--allow-multiple", "succeed if more than one is alive (needs --limit other than 1)", false)
    .addHelpText("after", exampleOf("jobs check --job-type SchedulerJob --local"))
    .action(async (options: CheckOptions) => (await import("./check.ts")).checkJobs(terminal, options));
}
