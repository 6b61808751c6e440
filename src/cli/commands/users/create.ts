import { randomBytes } from "node:crypto";
import { createUser, type Role } from "../../../public-api/index.ts";
import { usageError } from "../../errors.ts";
import { argumentWarning, type PasswordSource, readPassword } from "../../read-secret.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { type UsernameOption, usernameOf } from "./username.ts";

export type RoleOption = { role: Role };
type AirflowOptions = { password?: string; useRandomPassword: boolean; firstname?: string; lastname?: string; email?: string };
export type CreateOptions = RoleOption & PasswordSource & UsernameOption & AirflowOptions;

export async function createOne(terminal: Terminal, argument: string | undefined, options: CreateOptions): Promise<void> {
  const username = usernameOf(argument, options);
  const { role } = options;
  const password = await passwordFor(terminal, username, options);
  await withStore(terminal, async ({ store, audit }) => {
    await createUser(store, { username, password, role });
    await audit({ event: "cli_users_create", extra: { username, role } });
  });
  terminal.print(`User ${username} (${role}) is created.`);
  if (options.password !== undefined) terminal.note(argumentWarning("--password", "--password-file"));
  if (options.useRandomPassword)
    terminal.note(`Nobody knows the password of ${username}: "baram users set-password ${username}" gives another one.`);
  if ([options.firstname, options.lastname, options.email].some((one) => one !== undefined))
    terminal.note(
      "Baram keeps no first name, last name and email address of a user: --firstname, --lastname and --email have no effect.",
    );
}

async function passwordFor(terminal: Terminal, username: string, options: CreateOptions): Promise<string> {
  const { password, useRandomPassword, passwordStdin, passwordFile } = options;
  const ways = [password !== undefined, useRandomPassword, passwordStdin, passwordFile !== undefined].filter(Boolean);
  if (ways.length > 1)
    throw usageError(
      "--password, --use-random-password, --password-stdin and --password-file exclude each other: give one of them.",
    );
  if (useRandomPassword) return randomBytes(32).toString("hex");
  return password ?? readPassword(terminal, username, options);
}
