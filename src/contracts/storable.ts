import { z } from "zod";

// What of a text PostgreSQL cannot hold. The driver sends texts as UTF-8, so half of a surrogate pair becomes U+FFFD; a NUL is refused.

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

/** A text as it can be stored, as text and within JSON, for what must be kept whatever it holds: the reason of a failure. */
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
 * What `JSON.stringify` wrote that a column of type json takes, but that every statement fails on that reads it later: a NUL, or half of
 * a surrogate pair, which `JSON.stringify` escapes for that reason. Null = nothing.
 */
export function jsonTextFault(json: string): string | null {
  // Almost no text has either, and looking for them is what costs least.
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
