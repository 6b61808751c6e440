import { createHash } from "node:crypto";
import { refusal } from "../../refuse.ts";

/**
 * The continuation token: an offset and a fingerprint of the log, so that a token of another log is refused. It contains no
 * secret and no path: a client that forges one only reads the same log from another offset.
 */
export function writeContinuation(logPath: string, offset: number): string {
  return Buffer.from(`${offset}.${fingerprint(logPath)}`).toString("base64url");
}

/** Throws `log_token_invalid`. */
export function readContinuation(logPath: string, token: string | undefined): number {
  if (token === undefined || token === "") return 0;
  const [, digits, of] = /^(\d{1,15})\.([0-9a-f]{16})$/.exec(Buffer.from(token, "base64url").toString("latin1")) ?? [];
  if (digits === undefined || of !== fingerprint(logPath))
    throw refusal("log_token_invalid", "The continuation token is not one of this log. Leave it out to read from the start.");
  return Number(digits);
}

function fingerprint(logPath: string): string {
  return createHash("sha256").update(logPath).digest("hex").slice(0, 16);
}
