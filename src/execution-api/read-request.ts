import type { Context } from "hono";
import { z } from "zod";
import { isTooDeep, JSON_DEPTH_MAX } from "../contracts/index.ts";
import { Refusal } from "./refusal.ts";

/** What wraps a value in a body: the value itself may have the greatest depth. */
const WRAPPED_LEVELS = 8;

export async function readJson(c: Context): Promise<unknown> {
  const value = await readAnyJson(c);
  checkDepth(value);
  return value;
}

/** As above, without a look at its depth. */
export async function readAnyJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    throw new Refusal(400, "body_malformed", "The request's body is not JSON.");
  }
}

/** The checks of a value that is nested deeper would overflow the stack. */
export function checkDepth(value: unknown): void {
  if (!isTooDeep(value, JSON_DEPTH_MAX + WRAPPED_LEVELS)) return;
  throw new Refusal(
    400,
    "body_malformed",
    `The request's body is nested deeper than ${JSON_DEPTH_MAX} levels. Send flatter data.`,
  );
}

/** For calls that only Baram's own workers make: the message names every fault. */
export async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const checked = schema.safeParse(await readJson(c));
  if (!checked.success) throw new Refusal(422, "body_invalid", z.prettifyError(checked.error).slice(0, 1_000));
  return checked.data;
}

/** Throws 422 with the path of the first fault, e.g. `body.end_date`. */
export function check<T>(schema: z.ZodType<T>, value: unknown, place: "path" | "query" | "body"): T {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const fault = checked.error.issues[0];
  const field = [place, ...(fault?.path ?? [])].map(String).join(".");
  throw new Refusal(422, `${place}_invalid`, `${field}: ${fault?.message ?? "is wrong"}`, { field });
}

/** The query parameters: given once = a string, several times = an array. */
export function readQuery(c: Context): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [key, values] of Object.entries(c.req.queries())) query[key] = values.length === 1 ? (values[0] ?? "") : values;
  return query;
}

/** A query parameter that may be given several times. */
export function many<T>(one: z.ZodType<T>) {
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(one).optional());
}

export const instantSchema = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
export const flagSchema = z.stringbool().default(false);
