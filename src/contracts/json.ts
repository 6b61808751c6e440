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

/**
 * Checks a value that may come from anywhere. The depth is counted on the way, so it cannot overflow the stack. Zod's own schema of
 * JSON takes 25 times as long (100,000 rows of an XCom: 160 ms), in the thread that serves everybody else.
 */
export const jsonValueSchema: z.ZodType<JsonValue> = z.unknown().superRefine((value, context) => {
  const fault = jsonFault(value, JSON_DEPTH_MAX);
  if (fault !== null) context.addIssue({ code: "custom", message: fault, continue: false });
}) as z.ZodType<JsonValue>;
export const jsonObjectSchema: z.ZodType<JsonObject> = z.unknown().superRefine((value, context) => {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const fault = isObject ? jsonFault(value, JSON_DEPTH_MAX + 1) : "must be an object";
  if (fault !== null) context.addIssue({ code: "custom", message: fault, continue: false });
}) as z.ZodType<JsonObject>;

function jsonFault(value: unknown, levels: number): string | null {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : "must be a finite number";
  if (typeof value !== "object") return `must be JSON, not ${value === undefined ? "undefined" : `a ${typeof value}`}`;
  if (levels === 0) return JSON_DEPTH_RULE;
  const isPlain =
    Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null;
  if (!isPlain) return "must be JSON, not an instance of a class";
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    const fault = jsonFault(inner, levels - 1);
    if (fault !== null) return fault;
  }
  return null;
}
