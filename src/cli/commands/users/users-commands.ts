import { type Command, InvalidArgumentError, Option } from "commander";
import type { PasswordSource } from "../../read-secret.ts";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption } from "../flags.ts";
import type { CreateOptions, RoleOption } from "./create.ts";
import type { UsernameOption } from "./username.ts";

/** Repeated here, as importing the API would load it for every `--help`; a test compares the two. */
const ROLES = ["viewer", "user", "op", "admin"] as const;

export function addUsersCommands(program: Command, terminal: Terminal): void {
  const users = program.command("users").description("users of the API, their roles and passwords");
  addPasswordOptions(
    users
      .command("create")
      .description("create a user; asks for the password on a terminal")
      .argument("[username]")
      .addOption(usernameOption())
      .addOption(roleOption()),
  )
    .option("-p, --password <password>", "better --password-file: others can see arguments")
    .option("--use-random-password", "a password that nobody knows, until users set-password gives another one", false)
    .addOption(notKept("-f, --firstname <name>"))
    .addOption(notKept("-l, --lastname <name>"))
    .addOption(notKept("-e, --email <address>"))
    .addHelpText("after", exampleOf("users create ada --role op --password-file ada.txt"))
    .action(async (username: string | undefined, options: CreateOptions) =>
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
    .argument("[username]")
    .addOption(usernameOption())
    .addHelpText("after", exampleOf("users delete ada"))
    .action(async (username: string | undefined, options: UsernameOption) =>
      (await import("./change.ts")).deleteOne(terminal, username, options),
    );
}

function usernameOption(): Option {
  return new Option("-u, --username <username>", "the same as the argument");
}

/** What Airflow demands of a user. */
function notKept(flags: string): Option {
  return new Option(flags, "accepted as in Airflow, but not kept").hideHelp();
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
