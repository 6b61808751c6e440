import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addBackfillCommands } from "./commands/backfill/backfill-commands.ts";
import { addConfigCommands } from "./commands/config/config-commands.ts";
import { addConnectionsCommands } from "./commands/connections/connections-commands.ts";
import { addDagsCommands } from "./commands/dags/dags-commands.ts";
import { addDbCommands } from "./commands/db/db-commands.ts";
import { addExecutorsCommands } from "./commands/executors/executors-commands.ts";
import { exampleOf, type OutputOptions, outputOption } from "./commands/flags.ts";
import { addJobsCommands } from "./commands/jobs/jobs-commands.ts";
import { addPoolsCommands } from "./commands/pools/pools-commands.ts";
import { addRoleCommands } from "./commands/roles/role-commands.ts";
import { addTasksCommands } from "./commands/tasks/tasks-commands.ts";
import { addUsersCommands } from "./commands/users/users-commands.ts";
import { addVariablesCommands } from "./commands/variables/variables-commands.ts";
import { addWorkerCommands } from "./commands/worker/worker-commands.ts";
import { addHelpCommands } from "./help-command.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

/**
 * The command tree. The files named `…-commands.ts` contain only names, flags and help; the implementation of a command is
 * imported when it is called, so that `--help` and `version` do not load the packages of the database and the bundler.
 */
export function createProgram(): { program: Command; terminal: Terminal } {
  const program = new Command("baram")
    .description("A workflow orchestrator in TypeScript.")
    .option("--verbose", "show Baram's own log and the stack traces of errors")
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", "\nExample:\n  $ baram standalone\n  $ baram dags trigger hello\n");
  const terminal = createTerminal(() => program.opts<{ verbose?: boolean }>().verbose === true);
  addRoleCommands(program);
  addWorkerCommands(program, terminal);
  addDagsCommands(program, terminal);
  addTasksCommands(program, terminal);
  addBackfillCommands(program, terminal);
  addConnectionsCommands(program, terminal);
  addVariablesCommands(program, terminal);
  addPoolsCommands(program, terminal);
  addUsersCommands(program, terminal);
  addDbCommands(program, terminal);
  addConfigCommands(program, terminal);
  addJobsCommands(program, terminal);
  addExecutorsCommands(program, terminal);
  program
    .command("version")
    .description("print the version")
    .addHelpText("after", exampleOf("version"))
    .action(() => terminal.print(packageVersion()));
  program
    .command("info")
    .description("print the version, paths and configuration of this installation")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("info -o json"))
    .action(async (options: OutputOptions) => (await import("./commands/info.ts")).showInfo(terminal, packageVersion(), options));
  addHelpCommands(program);
  return { program, terminal };
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
