import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { BaramError, isDatabaseAway, type Logger } from "../platform/index.ts";
import { isConnectionLost, isValueFault } from "../store/index.ts";
import { statusOf } from "./error-statuses.ts";

/** The only place where an error becomes an answer: `{detail}`, never with a stack trace or a secret. */
export function answerError(error: Error, c: Context, logger: Logger): Response {
  // Not the error's own message, which contains the database's address.
  if (isDatabaseAway(error) || isConnectionLost(error))
    return c.json({ detail: "The database cannot be reached. Try again." }, 503);
  if (error instanceof BaramError) {
    const status = statusOf(error.code);
    if (status === 401) c.header("WWW-Authenticate", 'Bearer realm="baram"');
    const { retryAfterSec = status === 429 ? 60 : undefined } = error.facts;
    if (typeof retryAfterSec === "number") c.header("Retry-After", String(retryAfterSec));
    // As in Airflow, 422 lists every fault with its location.
    if (error.code === "request_invalid") return c.json({ detail: error.facts.faults }, 422);
    if (status !== 500) return c.json({ detail: error.message }, status);
  }
  if (error instanceof HTTPException) return c.json({ detail: error.message || "The request was refused." }, error.status);
  // Values that the schemas accept and the database refuses: a NUL in a text, a number out of range.
  if (isValueFault(error))
    return c.json({ detail: `The database refused a value: ${error.message}. Check the request's texts and numbers.` }, 400);
  logger.error({ error: error.message, stack: error.stack, method: c.req.method, path: c.req.path }, "a request failed");
  return c.json({ detail: "The server failed on this request; its log says why." }, 500);
}
