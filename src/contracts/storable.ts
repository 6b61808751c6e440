import { z } from "zod";

// Text that PostgreSQL cannot store. The driver sends text as UTF-8, which turns a lone surrogate into U+FFFD; a NUL is refused.

/** Text for a text column. */
export const storableTextSchema = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => !text.includes("\0"), { error: "must not hold the character U+0000" });

/**
 * Replaces the characters that cannot be stored as text or in JSON, for texts that must be stored in any case, such as the reason
 * of a failure.
 */
export function toStorable(text: string): string {
  return text.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "\ufffd");
}

/** An odd number of backslashes before a `u`: an escape, not an escaped backslash. */
const BAD_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/**
 * Finds what PostgreSQL accepts in a json column, but refuses in every statement that reads the value: a NUL or a lone surrogate,
 * which `JSON.stringify` writes as escapes. Null = the text has neither.
 */
export function jsonTextFault(json: string): string | null {
  // Almost no text contains either, and this search is the cheapest check.
  if (!json.includes("\\u0000") && !json.includes("\\ud")) return null;
  const found = BAD_ESCAPE.exec(json)?.[0];
  if (found === undefined) return null;
  return found.endsWith("u0000") ? "the character U+0000" : "half of a surrogate pair, which is not valid Unicode";
}
