import { type Command, Option } from "commander";
import type { Terminal } from "../../terminal.ts";
import { allowRootOption, exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { ClearOptions } from "../tasks/clear.ts";
import type { ListOptions } from "./list.ts";
import type { ListRunsOptions } from "./list-runs.ts";
import type { TestOptions } from "./test-dag.ts";
import type { TriggerOptions } from "./trigger.ts";

const RUN_STATES = ["queued", "running", "success", "failed"];

export function addDagsCommands(program: Command, terminal: Terminal): void {
  const dags = program.command("dags").description("DAGs and their runs");
  addReading(dags, terminal);
  addRunning(dags, terminal);
  addChanging(dags, terminal);
}

function addReading(dags: Command, terminal: Terminal): void {
  dags
    .command("list")
    .description("list the DAGs")
    .option("--stale", "also DAGs that are no longer in their file", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags list -o json"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listAll(terminal, options));
  dags
    .command("details")
    .description("show the details of a DAG")
    .argument("<dag-id>")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags details hello"))
    .action(async (dagId: string, options: OutputOptions) =>
      (await import("./details.ts")).showDetails(terminal, dagId, options),
    );
  dags
    .command("state")
    .description("print the state of a DAG run")
    .argument("<dag-id>")
    .argument("<run-id-or-logical-date>")
    .addHelpText("after", exampleOf("dags state hello 2026-01-01T00:00:00Z"))
    .action(async (dagId: string, run: string) => (await import("./state.ts")).showState(terminal, dagId, run));
  dags
    .command("list-runs")
    .description("list the runs of a DAG, newest first")
    .argument("<dag-id>")
    .addOption(new Option("--state <state>", "only runs in this state").choices(RUN_STATES))
    .option("--limit <number>", "maximum number of rows", wholeNumber(1, 100_000), 100)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags list-runs hello --state failed"))
    .action(async (dagId: string, options: ListRunsOptions) =>
      (await import("./list-runs.ts")).listRunsOf(terminal, dagId, options),
    );
  dags
    .command("list-import-errors")
    .description("list the DAG files that could not be loaded; exit code 1 if there are any")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags list-import-errors"))
    .action(async (options: OutputOptions) => (await import("./list-import-errors.ts")).listErrors(terminal, options));
  dags
    .command("list-warnings")
    .description("list DAG warnings: missing or too small pools, missing executors, items that are set aside")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags list-warnings"))
    .action(async (options: OutputOptions) => (await import("./list-warnings.ts")).listWarnings(terminal, options));
  dags
    .command("next-execution")
    .description("print the time of the next scheduled run, or why there is none")
    .argument("<dag-id>")
    .option("-n, --num-executions <number>", "number of runs to show", wholeNumber(1, 10_000), 1)
    .addHelpText("after", exampleOf("dags next-execution hello -n 3"))
    .action(async (dagId: string, options: { numExecutions: number }) =>
      (await import("./next-execution.ts")).showNext(terminal, dagId, options),
    );
}

function addRunning(dags: Command, terminal: Terminal): void {
  dags
    .command("trigger")
    .description("trigger a run of a DAG")
    .argument("<dag-id>")
    .option("-c, --conf <json>", "a JSON object with values for the DAG's params")
    .option("-r, --run-id <id>", "run id; default: generated from the time")
    .option("-e, --logical-date <date>", "logical date; without an offset, in the DAG's time zone; default: now")
    .option("--no-logical-date", "create a run without a logical date; ds is not available")
    .addOption(new Option("--exec-date <date>", "as --logical-date").conflicts("logicalDate").hideHelp())
    .option("--note <text>", "note of the run")
    .addOption(outputOption())
    .addHelpText("after", exampleOf(`dags trigger hello --conf '{"name": "Ada"}'`))
    .action(async (dagId: string, options: TriggerOptions) =>
      (await import("./trigger.ts")).triggerDag(terminal, dagId, options),
    );
  dags
    .command("test")
    .description("run a DAG in this process for debugging; needs no scheduler and writes nothing to the database")
    .argument("<dag-id>")
    .argument("[logical-date]")
    .option("-c, --conf <json>", "a JSON object with values for the DAG's params")
    .option("-f, --file <path>", "DAG file; default: searched in the DAG folder")
    .option("--no-retry-delay", "start retries immediately")
    .addOption(allowRootOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      `${exampleOf("dags test hello 2026-01-01 --file dags/hello.ts")}  $ node --inspect-brk node_modules/.bin/baram dags test hello\n`,
    )
    .action(async (dagId: string, logicalDate: string | undefined, options: TestOptions) =>
      (await import("./test-dag.ts")).testDag(terminal, dagId, logicalDate, options),
    );
}

function addChanging(dags: Command, terminal: Terminal): void {
  for (const verb of ["pause", "unpause"] as const) {
    dags
      .command(verb)
      .description(verb === "pause" ? "pause DAGs: no new runs start, running tasks continue" : "unpause DAGs")
      .argument("<dag-ids...>")
      .option("--treat-dag-id-as-regex", "treat each id as a regular expression that must match the whole DAG id", false)
      .addOption(outputOption())
      .addHelpText("after", exampleOf(`dags ${verb} hello`))
      .action(async (dagIds: string[], options: OutputOptions & { treatDagIdAsRegex: boolean }) =>
        (await import("./pause.ts")).setPausedOf(terminal, dagIds, verb === "pause", options),
      );
  }
  dags
    .command("clear")
    .description("clear runs of a DAG so that they run again")
    .argument("<dag-id>")
    .option("-s, --start-date <date>", "only runs with this logical date or later")
    .option("-e, --end-date <date>", "only runs with this logical date or earlier; a date without a time includes the whole day")
    .option("--run-id <id>", "only this run")
    .option("--past", "with --run-id: also runs with an earlier logical date", false)
    .option("--future", "with --run-id: also runs with a later logical date", false)
    .option("-f, --only-failed", "only failed task instances", false)
    .option("-r, --only-running", "only running task instances", false)
    .option("--run-on-latest-version", "use the DAG's current version", false)
    .option("--dry-run", "only list the task instances that would be cleared", false)
    .option("-y, --yes", "do not ask for confirmation", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags clear hello --only-failed --yes"))
    .action(async (dagId: string, options: Omit<ClearOptions, "upstream" | "downstream">) =>
      (await import("../tasks/clear.ts")).clearTasks(terminal, dagId, { ...options, upstream: false, downstream: false }),
    );
  dags
    .command("reserialize")
    .description("reload all DAG files, even unchanged ones")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("dags reserialize"))
    .action(async (options: OutputOptions) => (await import("./reserialize.ts")).reserialize(terminal, options));
  dags
    .command("delete")
    .description("delete a DAG with all its runs; it is created again if its file still exists")
    .argument("<dag-id>")
    .option("-y, --yes", "do not ask for confirmation", false)
    .addHelpText("after", exampleOf("dags delete hello --yes"))
    .action(async (dagId: string, options: { yes: boolean }) =>
      (await import("./delete.ts")).deleteOne(terminal, dagId, options),
    );
}
