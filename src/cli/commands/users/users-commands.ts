import { type Command, InvalidArgumentError, Option } from "commander";
import type { PasswordSource } from "../../read-secret.ts";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption } from "../flags.ts";
import type { RoleOption } from "./create.ts";

/** Repeated here, as importing the API would load it for every `--help`; a test compares the two. */
const ROLES = ["viewer", "user", "op", "admin"] as const;

export function addUsersCommands(program: Command, terminal: Terminal): void {
  const users = program.command("users").description("users of the API, their roles and passwords");
  addPasswordOptions(
    users
      .command("create")
      .description("create a user; asks for the password on a terminal")
      .argument("<username>")
      .addOption(roleOption()),
  )
    .addHelpText("after", exampleOf("users create ada --role op --password-file ada.txt"))
    .action(async (username: string, options: RoleOption & PasswordSource) =>
      (await import("./create.ts")).createOne(terminal, username, options),
    );
  users
    .command("list")
    .description("list the users")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("users list -o json"))
    .action(async (options: OutputOptions) => (await import("./list.ts")).listAll(terminal, options));
  users
    .command("set-role")
    .description("give a user another role; it counts for the user's tokens within a second")
    .argument("<username>")
    .addOption(roleOption())
    .addHelpText("after", exampleOf("users set-role ada --role viewer"))
    .action(async (username: string, options: RoleOption) => (await import("./change.ts")).setRole(terminal, username, options));
  addPasswordOptions(
    users
      .command("set-password")
      .description("give a user another password, which ends the user's tokens; asks for it on a terminal")
      .argument("<username>"),
  )
    .addHelpText("after", exampleOf("users set-password admin"))
    .action(async (username: string, options: PasswordSource) =>
      (await import("./change.ts")).setPassword(terminal, username, options),
    );
  users
    .command("delete")
    .description("delete a user, which ends the user's tokens")
    .argument("<username>")
    .addHelpText("after", exampleOf("users delete ada"))
    .action(async (username: string) => (await import("./change.ts")).deleteOne(terminal, username));
}

/** Airflow writes the names with a capital. */
function roleOption(): Option {
  return new Option("-r, --role <role>", "what the user may do")
    .choices(ROLES)
    .argParser((text: string) => choose(text.toLowerCase()))
    .makeOptionMandatory();
}

function choose(text: string): string {
  if (ROLES.some((role) => role === text)) return text;
  throw new InvalidArgumentError(`Allowed choices are ${ROLES.join(", ")}.`);
}

function addPasswordOptions(command: Command): Command {
  return command
    .option("--password-stdin", "read the password from stdin", false)
    .option("--password-file <path>", "read the password from a file, - for stdin");
}
