import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf } from "../flags.ts";

export function addDbCommands(program: Command, terminal: Terminal): void {
  const db = program.command("db").description("the database and its schema");
  db.command("migrate")
    .description("apply pending migrations; safe to repeat")
    .addHelpText("after", exampleOf("db migrate"))
    .action(async () => (await import("./migrate.ts")).migrateDatabase(terminal));
  db.command("check")
    .description("check that the database can be reached and its schema is up to date; exit code 1 if not")
    .addHelpText("after", exampleOf("db check && baram scheduler"))
    .action(async () => (await import("./check.ts")).checkDatabase(terminal));
  db.command("reset")
    .description("delete all data in the database and create an empty schema")
    .option("-y, --yes", "do not ask for confirmation", false)
    .addHelpText("after", exampleOf("db reset --yes"))
    .action(async (options: { yes: boolean }) => (await import("./reset.ts")).resetDatabase(terminal, options));
}
