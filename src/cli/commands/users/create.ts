import { createUser, type Role } from "../../../public-api/index.ts";
import { type PasswordSource, readPassword } from "../../read-secret.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export type RoleOption = { role: Role };

export async function createOne(terminal: Terminal, username: string, options: RoleOption & PasswordSource): Promise<void> {
  const { role } = options;
  const password = await readPassword(terminal, username, options);
  await withStore(terminal, async ({ store, audit }) => {
    await createUser(store, { username, password, role });
    await audit({ event: "cli_users_create", extra: { username, role } });
  });
  terminal.print(`User ${username} (${role}) is created.`);
}
