import { z } from "zod";

// Text that PostgreSQL cannot store. The driver sends text as UTF-8, which turns a lone surrogate into U+FFFD; a NUL is refused.

/** With the flag `u` pairs are one character: only halves match. */
const SURROGATE = /\p{Surrogate}/u;
const HALF = "half of a surrogate pair, which is not valid Unicode";

/** A text for a column of PostgreSQL's. */
export const storableTextSchema = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => !text.includes("\0"), { error: "must not hold the character U+0000" })
    .refine((text) => !SURROGATE.test(text), { error: `must not hold ${HALF}` });

/**
 * Replaces the characters that cannot be stored as text or in JSON, for texts that must be stored in any case, such as the reason
 * of a failure.
 */
export function toStorable(text: string): string {
  return text.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "\ufffd");
}

/** A text that is encrypted before it is stored, as the value of a variable: it may hold a NUL. */
export const wellFormedTextSchema = z.string().refine((text) => !SURROGATE.test(text), { error: `must not hold ${HALF}` });

/** Why PostgreSQL cannot keep a text as it is, or null. */
export function textFault(text: string): string | null {
  if (text.includes("\0")) return "the character U+0000";
  return SURROGATE.test(text) ? HALF : null;
}

/** An odd number of backslashes before a `u`: an escape, and not a backslash that was escaped itself. */
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
  return found.endsWith("u0000") ? "the character U+0000" : HALF;
}

const HALF_ESCAPE = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/;

/** Whether any text within a value is not valid Unicode; encoded as UTF-8 it would silently become another text. */
export function holdsHalfOfPair(value: unknown): boolean {
  // JSON.stringify escapes halves only.
  return HALF_ESCAPE.test(JSON.stringify(value) ?? "");
}
