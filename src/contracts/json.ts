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
export const jsonValueSchema: z.ZodType<JsonValue> = z
  .unknown()
  .superRefine((value, context) => addFault(jsonFault(value, JSON_DEPTH_MAX), context)) as z.ZodType<JsonValue>;
export const jsonObjectSchema: z.ZodType<JsonObject> = z.unknown().superRefine((value, context) => {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  addFault(isObject ? jsonFault(value, JSON_DEPTH_MAX + 1) : { message: "must be an object", path: [] }, context);
}) as z.ZodType<JsonObject>;

type Fault = { readonly message: string; readonly path: PropertyKey[] };

function addFault(fault: Fault | null, context: z.RefinementCtx): void {
  // Later checks of the same value would look at what is not JSON.
  if (fault !== null) context.addIssue({ code: "custom", message: fault.message, path: fault.path, continue: false });
}

function jsonFault(value: unknown, levels: number): Fault | null {
  const message = ownFault(value, levels);
  if (message !== null) return { message, path: [] };
  if (typeof value !== "object" || value === null) return null;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const fault = jsonFault(value[at], levels - 1);
      if (fault !== null) return within(at, fault);
    }
    return null;
  }
  for (const [key, inner] of Object.entries(value)) {
    const fault = jsonFault(inner, levels - 1);
    if (fault !== null) return within(key, fault);
  }
  return null;
}

/** A place that deep is longer than what is said of it. */
function within(key: PropertyKey, { message, path }: Fault): Fault {
  return { message, path: message === JSON_DEPTH_RULE ? [] : [key, ...path] };
}

/** What is wrong with the value itself. */
function ownFault(value: unknown, levels: number): string | null {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : "must be a finite number";
  if (typeof value !== "object") return `must be JSON, not ${value === undefined ? "undefined" : `a ${typeof value}`}`;
  if (levels === 0) return JSON_DEPTH_RULE;
  if (Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? null : "must be JSON, not an instance of a class";
}
