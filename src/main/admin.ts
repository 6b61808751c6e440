import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Config, readOrMake } from "../config/index.ts";
import { ensureAdmin } from "../public-api/index.ts";
import type { Store } from "../store/index.ts";

export type Admin = { password: string; passwordFile: string; isNew: boolean };

/** Makes the user `admin` if there is no user yet, with a generated password that is kept in BARAM_HOME (mode 0600). */
export async function ensureFirstUser(config: Config, store: Store): Promise<Admin> {
  const password = readOrMake(config.home, "admin_password", () => randomBytes(12).toString("base64url"));
  return { password, passwordFile: join(config.home, "admin_password"), isNew: await ensureAdmin(store, password) };
}
