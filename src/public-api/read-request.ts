import type { Context } from "hono";
import type { z } from "zod";
import { holdsHalfOfPair, isTooDeep, JSON_DEPTH_MAX } from "../contracts/index.ts";
import { refusal } from "./refuse.ts";

/** Validates input from the client; 422 with the location of every fault. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, place: "path" | "query" | "body"): T {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const faults = checked.error.issues.slice(0, 20).map((issue) => ({
    loc: [place, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))],
    msg: issue.message + knownKeys(schema, issue),
    type: issue.code,
  }));
  const first = faults[0];
  throw refusal("request_invalid", `${first?.loc.join(".")}: ${first?.msg}`, { faults });
}

/** The valid keys of the body, for a message about an unknown key: `execution_date` is now `logical_date`, for example. */
function knownKeys(schema: z.ZodType, issue: { code?: string; path: readonly unknown[] }): string {
  if (issue.code !== "unrecognized_keys" || issue.path.length > 0) return "";
  const shape = "shape" in schema ? Object.keys(schema.shape as object) : [];
  return shape.length === 0 ? "" : `; the keys are ${shape.join(", ")}`;
}

/** Throws `body_malformed`, also for text that no route can check or store. A body without a content type is read as JSON too. */
export async function readJson(c: Context): Promise<unknown> {
  const text = await c.req.text();
  const value = parseText(text);
  if (isTooDeep(value))
    throw refusal("body_malformed", `The request's body is nested deeper than ${JSON_DEPTH_MAX} levels. Send flatter data.`);
  // Bytes that are no UTF-8 never come this far; only an escape can write half of a pair.
  if (/\\u[dD]/.test(text) && holdsHalfOfPair(value))
    throw refusal(
      "body_malformed",
      "A text of the request's body holds half of a surrogate pair (\\ud800 to \\udfff), which is not valid Unicode. Remove it.",
    );
  return value;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const what = text.trim() === "" ? "empty" : "not JSON";
    throw refusal("body_malformed", `The request's body is ${what}. Send a JSON object.`);
  }
}

/** The query parameters: a parameter that is given once is a string, one that is given several times is an array. */
export function readQuery(c: Context): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [key, values] of Object.entries(c.req.queries())) query[key] = values.length === 1 ? (values[0] ?? "") : values;
  return query;
}

/**
 * Refuses filters of a write that are given and empty: an unset variable of a script must not choose everything. `|` alone separates
 * nothing. Who means everything leaves the filter out, or writes ~.
 */
export function refuseEmptyFilters(query: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const faults = names
    .filter((name) => [query[name]].flat().some((value) => typeof value === "string" && /^[\s|]*$/.test(value)))
    .map((name) => ({
      loc: ["query", name],
      msg: "must not be empty in a request that changes something",
      type: "string_too_short",
    }));
  const [first] = faults;
  if (first) throw refusal("request_invalid", `${first.loc.join(".")}: ${first.msg}`, { faults });
}
