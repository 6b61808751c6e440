import type { Context } from "hono";
import { z } from "zod";
import { Refusal } from "./refusal.ts";

export async function readJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    throw new Refusal(400, "body_malformed", "The request's body is not JSON.");
  }
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
