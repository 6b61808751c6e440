import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, readOrMake } from "../config/index.ts";
import { ensureAdmin } from "../public-api/index.ts";
import type { Store } from "../store/index.ts";

/** `passwordFile`: null if there is none, since the password was changed or the user was made elsewhere. */
export type FirstUser = { isNew: boolean; passwordFile: string | null };

/** Makes the user `admin` if there is no user yet, with a generated password that is kept in BARAM_HOME (mode 0600). */
export async function ensureFirstUser(config: Config, store: Store): Promise<FirstUser> {
  const isNew = await ensureAdmin(store, () => makePassword(config.home));
  const file = adminPasswordFile(config.home);
  return { isNew, passwordFile: existsSync(file) ? file : null };
}

export function adminPasswordFile(home: string): string {
  return join(home, "admin_password");
}

/** In hex: a password that begins with `-`, as base64url can, would be an option for the next command. */
function makePassword(home: string): string {
  return readOrMake(home, "admin_password", () => randomBytes(12).toString("hex"));
}
