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

function isJson(value: unknown): value is JsonValue {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      if (value === null) return true;
      return (Array.isArray(value) ? value : Object.values(value)).every(isJson);
    default:
      return false;
  }
}

/**
 * The depth is checked first: the check of the rest would overflow the stack. Not zod's own schema of JSON, which tries each member of
 * a union for each value: a million values in 600 KB took it 0.15 s, and this 5 ms.
 */
export const jsonValueSchema: z.ZodType<JsonValue> = z
  .custom<JsonValue>()
  .refine((value) => !isTooDeep(value), { error: JSON_DEPTH_RULE, abort: true })
  .refine(isJson, { error: "Invalid input: it must be JSON" });
const isPlainObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const jsonObjectSchema: z.ZodType<JsonObject> = z
  .custom<JsonObject>(isPlainObject, { error: "Invalid input: expected an object of JSON values", abort: true })
  .refine((value) => !isTooDeep(value, JSON_DEPTH_MAX + 1), { error: JSON_DEPTH_RULE, abort: true })
  .refine(isJson, { error: "Invalid input: it must be JSON" });
