import { type Command, Option } from "commander";
import { COUNT_MAX } from "../../../contracts/bounds/index.ts";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { CreateOptions } from "./create.ts";
import type { ListOptions } from "./list.ts";

/** Repeated here: importing the store would load the database's packages for every `--help`. */
const REPROCESS_BEHAVIORS = ["none", "completed", "failed"];

const CHANGES = {
  pause: "pause a backfill: no more runs start, running ones continue",
  unpause: "unpause a backfill",
  cancel: "cancel a backfill: queued runs fail, running ones continue",
} as const;

export function addBackfillCommands(program: Command, terminal: Terminal): void {
  const backfill = program.command("backfill").description("runs for past dates of a DAG's schedule");
  backfill
    .command("create")
    .description("create runs for the scheduled dates between two dates")
    .requiredOption("--dag-id <dag-id>", "the DAG")
    .requiredOption("--from-date <date>", "earliest logical date; without an offset, in the DAG's time zone")
    .requiredOption("--to-date <date>", "latest logical date (inclusive); a date without a time includes the whole day")
    .option("--dag-run-conf <json>", "a JSON object with values for the DAG's params")
    .option("--run-backwards", "newest date first; not allowed if tasks depend on past runs", false)
    .option("--max-active-runs <number>", "maximum number of parallel runs", wholeNumber(1, COUNT_MAX), 10)
    .addOption(
      new Option("--reprocess-behavior <behavior>", "which ended runs to run again").choices(REPROCESS_BEHAVIORS).default("none"),
    )
    .option("--run-on-latest-version", "repeated runs use the DAG's current version (default)", true)
    .option("--no-run-on-latest-version", "repeated runs keep their version")
    .option("--dry-run", "only list the dates", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("backfill create --dag-id hello --from-date 2026-01-01 --to-date 2026-01-31 --dry-run"))
    .action(async (options: CreateOptions) => (await import("./create.ts")).createOne(terminal, options));
  backfill
    .command("list")
    .description("list backfills, newest first")
    .option("--dag-id <dag-id>", "only backfills of this DAG")
    .option("--active", "only active backfills", false)
    .option("--limit <number>", "maximum number of rows", wholeNumber(1, 100_000), 100)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("backfill list --dag-id hello --active"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listAll(terminal, options));
  for (const change of ["pause", "unpause", "cancel"] as const) {
    backfill
      .command(change)
      .description(CHANGES[change])
      .argument("<backfill-id>", "id from backfill list", wholeNumber(0, Number.MAX_SAFE_INTEGER))
      .addOption(outputOption())
      .addHelpText("after", exampleOf(`backfill ${change} 1`))
      .action(async (id: number, options: OutputOptions) =>
        (await import("./change.ts")).changeOne(terminal, id, change, options),
      );
  }
}
