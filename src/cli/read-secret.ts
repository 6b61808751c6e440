import { createReadStream } from "node:fs";
import { usageError } from "./errors.ts";
import { shown } from "./shown.ts";
import type { Terminal } from "./terminal.ts";

const FILE_MAX_BYTES = 1024 * 1024;

/** Said when a secret is an argument. */
export function argumentWarning(flag: string, instead: string): string {
  return `${flag} is an argument, which other users of this machine and the shell's history can see. Use ${instead}, also with - for stdin.`;
}

export type PasswordSource = { passwordStdin: boolean; passwordFile?: string };

/** A password from stdin, from a file, or from the terminal. There is no way to give it as an argument. Throws `usage_invalid`. */
export async function readPassword(terminal: Terminal, username: string, source: PasswordSource): Promise<string> {
  if (source.passwordStdin && source.passwordFile !== undefined)
    throw usageError("--password-stdin and --password-file exclude each other: give one.");
  if (source.passwordStdin) return readSecretFile("-", "--password-stdin");
  if (source.passwordFile !== undefined) return readSecretFile(source.passwordFile, "--password-file");
  const password = await terminal.askHidden(
    `Password of ${username}: `,
    "There is no terminal to ask for the password: add --password-stdin or --password-file.",
  );
  if (password !== (await terminal.askHidden("Once more: ", "")))
    throw usageError("The two passwords differ. Nothing was changed.");
  return password;
}

/** The text of a file, or of stdin for "-", without one line break at its end. Throws `usage_invalid`. */
export async function readSecretFile(path: string, flag: string): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  if (path === "-" && process.stdin.isTTY)
    process.stderr.write(`${flag} - reads what you type, which is shown. End it with Enter and Ctrl-D.\n`);
  try {
    for await (const chunk of path === "-" ? process.stdin : createReadStream(path)) {
      chunks.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes > FILE_MAX_BYTES) break;
    }
  } catch (error) {
    throw usageError(`${flag} ${shown(path)} cannot be read: ${(error as Error).message}.`);
  }
  if (sizeBytes > FILE_MAX_BYTES) throw usageError(`${flag} has more than ${FILE_MAX_BYTES} bytes.`);
  const text = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "") throw usageError(`${flag} ${path === "-" ? "was given no text on stdin" : `${shown(path)} is empty`}.`);
  return text;
}
