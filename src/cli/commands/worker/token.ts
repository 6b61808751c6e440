import { readFileSync, statSync, writeFileSync } from "node:fs";
import { loadConfig, readJwtSecret } from "../../../config/index.ts";
import { workerGrantSchema } from "../../../contracts/index.ts";
import { createTokens, TOKEN_MAX_CHARS, type Tokens, toError } from "../../../platform/index.ts";
import { usageError } from "../../errors.ts";
import type { Terminal } from "../../terminal.ts";

const DAY_SEC = 86_400;

export type TokenOptions = { name?: string; renew?: string; days: number };

/** Prints a token, or writes it into the file of the one that it replaces: a worker reads the file again. */
export async function makeToken(terminal: Terminal, { name, renew, days }: TokenOptions): Promise<void> {
  const named = name === undefined ? null : readGrant(name);
  if (named === null && renew === undefined)
    throw usageError("Name the worker with --name, or a file with its token with --renew.");
  const tokens = createTokens(readJwtSecret(loadConfig(), { make: false }));
  const subject = named ?? (await grantOf(tokens, renew ?? ""));
  const token = await tokens.sign("baram:worker", { subject }, days * DAY_SEC);
  if (renew === undefined) return terminal.print(token);
  // In its place, so that its owner, its mode and a mount of this one file stay; a worker that reads half of it reads it again.
  writeFileSync(renew, `${token}\n`, { mode: 0o600 });
  terminal.note(
    `${renew} has a new token for "${subject}", valid for ${days} days. Workers that read this file use it within seconds.`,
  );
}

function readGrant(name: string): string {
  const grant = workerGrantSchema.safeParse(name);
  if (!grant.success) throw usageError(`--name is "${name}", and ${grant.error.issues[0]?.message}.`);
  return grant.data;
}

/** Whom the token in the file is for. It may have expired, but must be one of this installation's. */
async function grantOf(tokens: Tokens, path: string): Promise<string> {
  let text: string;
  try {
    // Checked before it is read: the path may be anything.
    text = statSync(path).size > TOKEN_MAX_CHARS + 2 ? "" : readFileSync(path, "utf8").trim();
  } catch (error) {
    throw usageError(`--renew is ${path}, which cannot be read: ${toError(error).message}. For a new file, add --name.`);
  }
  const claims = await tokens.verify("baram:worker", text, Number.POSITIVE_INFINITY).catch(() => null);
  if (claims) return claims.subject;
  throw usageError(
    `--renew is ${path}, which contains no worker token that this installation has signed. Add --name to write a new one.`,
  );
}
