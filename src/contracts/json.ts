import { z } from "zod";

/** Any JSON value: the only form of data that is passed between processes, and so between tasks. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/**
 * Arrays and objects within each other at most. Reading and checking a value takes stack for each level: with more than about 1,500 it
 * overflows, and who holds the value then cannot say whose it was. An XCom may have half of it, so that what wraps one still passes.
 */
export const JSON_DEPTH_MAX = 1_000;
export const JSON_DEPTH_RULE = `must not be nested deeper than ${JSON_DEPTH_MAX} levels`;

/** Of a value that came out of `JSON.parse`: without cycles. Looks no deeper than the limit. */
export function isTooDeep(value: unknown, levels: number = JSON_DEPTH_MAX): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) if (isTooDeep(inner, levels - 1)) return true;
  return false;
}

/** The depth is checked first: the check of the rest would overflow the stack. */
export const jsonValueSchema: z.ZodType<JsonValue> = z
  .unknown()
  .refine((value) => !isTooDeep(value), { error: JSON_DEPTH_RULE })
  .pipe(z.json());
export const jsonObjectSchema: z.ZodType<JsonObject> = z.record(z.string(), jsonValueSchema);
