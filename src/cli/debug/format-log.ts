import type { LogRecord } from "../../worker/runner/index.ts";

/** Formats a log record for people: `12:00:00.000 INFO  extract: message {facts}`, with an error's stack on lines of its own. */
export function formatRecordLine(taskId: string | null, { level, message, facts = {} }: LogRecord, at: Date): string {
  const { error, ...rest } = facts;
  const stack = stackOf(error);
  const shown = stack === null ? facts : rest;
  const tail = Object.keys(shown).length === 0 ? "" : ` ${JSON.stringify(shown)}`;
  const head = `${at.toISOString().slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${taskId ?? "(run)"}: ${message}${tail}`;
  return stack === null ? head : `${head}\n${stack.replaceAll(/^/gm, "    ")}`;
}

function stackOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("stack" in error)) return null;
  return typeof error.stack === "string" ? error.stack : null;
}
