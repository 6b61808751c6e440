import { rmSync } from "node:fs";
import { adminPasswordFile } from "../../../main/admin.ts";
import { changePassword, changeRole, removeUser } from "../../../public-api/index.ts";
import { type PasswordSource, readPassword } from "../../read-secret.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { RoleOption } from "./create.ts";
import { type UsernameOption, usernameOf } from "./username.ts";

export async function setRole(terminal: Terminal, username: string, { role }: RoleOption): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    await changeRole(store, username, role);
    await audit({ event: "cli_users_set_role", extra: { username, role } });
  });
  terminal.print(`User ${username} has the role ${role}.`);
}

export async function setPassword(terminal: Terminal, username: string, source: PasswordSource): Promise<void> {
  const password = await readPassword(terminal, username, source);
  await withStore(terminal, async ({ config, store, audit }) => {
    await changePassword(store, username, password);
    await audit({ event: "cli_users_set_password", extra: { username } });
    forgetFirstPassword(username, config.home);
  });
  terminal.print(`User ${username} has a new password. The user's tokens have ended.`);
}

export async function deleteOne(terminal: Terminal, argument: string | undefined, options: UsernameOption): Promise<void> {
  const username = usernameOf(argument, options);
  await withStore(terminal, async ({ config, store, audit }) => {
    await removeUser(store, username);
    await audit({ event: "cli_users_delete", extra: { username } });
    forgetFirstPassword(username, config.home);
  });
  terminal.print(`User ${username} is deleted. The user's tokens have ended.`);
}

/** The file of the first start no longer opens anything. */
function forgetFirstPassword(username: string, home: string): void {
  if (username === "admin") rmSync(adminPasswordFile(home), { force: true });
}
