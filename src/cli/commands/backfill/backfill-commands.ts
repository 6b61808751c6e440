import { type Command, Option } from "commander";
import { COUNT_MAX } from "../../../contracts/bounds/index.ts";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { CreateOptions } from "./create.ts";
import type { ListOptions } from "./list.ts";

/** Written here: the store's module would cost every `--help` the database's packages. */
const REPROCESS_BEHAVIORS = ["none", "completed", "failed"];

const CHANGES = {
  pause: "start no further run of a backfill; what runs goes on",
  unpause: "start runs of a backfill again",
  cancel: "end a backfill: its queued runs fail, what runs goes on",
} as const;

export function addBackfillCommands(program: Command, terminal: Terminal): void {
  const backfill = program.command("backfill").description("runs for past dates of a DAG's schedule");
  backfill
    .command("create")
    .description("create runs for the dates of a DAG's schedule from one date to another")
    .requiredOption("--dag-id <dag-id>", "the DAG")
    .requiredOption("--from-date <date>", "the earliest logical date; without an offset in the DAG's zone")
    .requiredOption("--to-date <date>", "the latest logical date, itself included; a date without time means that whole day")
    .option("--dag-run-conf <json>", "a JSON object with values for the DAG's params")
    .option("--run-backwards", "the newest date first; not for DAGs with tasks that depend on their past", false)
    .option("--max-active-runs <number>", "how many of the runs at a time", wholeNumber(1, COUNT_MAX), 10)
    .addOption(
      new Option("--reprocess-behavior <behavior>", "which runs that have ended run again")
        .choices(REPROCESS_BEHAVIORS)
        .default("none"),
    )
    .option("--run-on-latest-version", "runs that run again take the DAG's current version (the default)", true)
    .option("--no-run-on-latest-version", "runs that run again keep their version")
    .option("--dry-run", "only list the dates", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("backfill create --dag-id hello --from-date 2026-01-01 --to-date 2026-01-31 --dry-run"))
    .action(async (options: CreateOptions) => (await import("./create.ts")).createOne(terminal, options));
  backfill
    .command("list")
    .description("list the backfills, the newest first")
    .option("--dag-id <dag-id>", "only those of this DAG")
    .option("--active", "only those that are not completed", false)
    .option("--limit <number>", "how many at most", wholeNumber(1, 100_000), 100)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("backfill list --dag-id hello --active"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listAll(terminal, options));
  for (const change of ["pause", "unpause", "cancel"] as const) {
    backfill
      .command(change)
      .description(CHANGES[change])
      .argument("<backfill-id>", "as backfill list shows it", wholeNumber(0, Number.MAX_SAFE_INTEGER))
      .addOption(outputOption())
      .addHelpText("after", exampleOf(`backfill ${change} 1`))
      .action(async (id: number, options: OutputOptions) =>
        (await import("./change.ts")).changeOne(terminal, id, change, options),
      );
  }
}
