import { randomBytes } from "node:crypto";
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BaramError, FILE_MODE } from "../platform/index.ts";
import { closeSecret, makeHome } from "./home.ts";
import type { Config } from "./load.ts";

/** `make`: default true. If false, a missing secret is an error, since a new one would not match existing data. */
type MakeOption = { make?: boolean };

/** The 32-byte key that encrypts connections and variables at rest. */
export function readEncryptionKey(config: Config, options: MakeOption = {}): Buffer {
  const { home, core } = config;
  if (core.encryption_key === null) refuseToMake(options, home, "encryption_key", "BARAM__CORE__ENCRYPTION_KEY");
  const text = core.encryption_key ?? readOrMake(home, "encryption_key", () => randomBytes(32).toString("base64"));
  const key = Buffer.from(text, "base64");
  if (key.length !== 32) {
    throw new BaramError(
      "config_invalid",
      `[core] encryption_key must be 32 bytes in base64, but is ${key.length}. Make one with: openssl rand -base64 32`,
      {},
    );
  }
  return key;
}

/** The secret that signs the tokens of users and of running tries. */
export function readJwtSecret(config: Config, options: MakeOption = {}): Uint8Array {
  const { home, api_auth } = config;
  if (api_auth.jwt_secret === null) refuseToMake(options, home, "jwt_secret", "BARAM__API_AUTH__JWT_SECRET");
  const text = api_auth.jwt_secret ?? readOrMake(home, "jwt_secret", () => randomBytes(48).toString("base64"));
  if (text.length < 32)
    throw new BaramError(
      "config_invalid",
      "[api_auth] jwt_secret must have at least 32 characters. Make one with: openssl rand -base64 48",
      {},
    );
  return new TextEncoder().encode(text);
}

function refuseToMake({ make = true }: MakeOption, home: string, name: string, variable: string): void {
  if (make || existsSync(join(home, name))) return;
  throw new BaramError(
    "config_invalid",
    `There is no ${name} in BARAM_HOME ${home}, and a new one would not be that of the API servers. Set ${variable} to theirs, or BARAM_HOME to their home.`,
    { home },
  );
}

/**
 * Reads a secret of this installation; the first process creates it (mode 0600). It is written under a temporary name and
 * hard-linked, which fails if another process was faster: racing processes use the same secret, and none reads an empty file.
 * Throws `secret_readable`.
 */
export function readOrMake(home: string, name: string, make: () => string): string {
  const path = join(home, name);
  makeHome(home);
  if (!existsSync(path)) {
    const made = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(made, `${make()}\n`, { mode: FILE_MODE, flag: "wx" });
      linkSync(made, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(made, { force: true });
    }
  }
  // Also before each use: a secret that others can read is none.
  closeSecret(path);
  return readFileSync(path, "utf8").trim();
}
