import type { Context } from "hono";
import { BaramError, isDatabaseAway } from "../platform/index.ts";
import { sqlState } from "../store/index.ts";
import { Refusal } from "./refusal.ts";
import type { ExecutionApiResources } from "./resources.ts";

const STATUS_OF: Record<string, 400 | 401 | 404 | 409 | 503> = {
  token_invalid: 401,
  token_expired: 401,
  dag_not_found: 404,
  dag_run_not_found: 404,
  dag_stale: 409,
  dag_run_exists: 409,
  conf_invalid: 400,
  note_too_long: 400,
  instant_invalid: 400,
  data_interval_invalid: 400,
  logical_date_in_future: 400,
  run_id_refused: 400,
  database_timeout: 503,
};

/** PostgreSQL's text cannot hold the character U+0000; every string of a request may carry it. */
const CHARACTER_NOT_IN_REPERTOIRE = "22021";

export function answerError(error: Error, c: Context, resources: ExecutionApiResources): Response {
  // Not the error's own words, which name the database's address.
  if (isDatabaseAway(error))
    return c.json({ detail: { reason: "database_unavailable", message: "The database cannot be reached. Try again." } }, 503);
  if (error instanceof BaramError) {
    const status = error instanceof Refusal ? error.status : STATUS_OF[error.code];
    if (status) {
      if (status === 401) c.header("www-authenticate", "Bearer");
      return c.json({ detail: { reason: error.code, message: error.message, ...error.facts } }, status);
    }
  }
  if (sqlState(error) === CHARACTER_NOT_IN_REPERTOIRE)
    return c.json({ detail: { reason: "text_invalid", message: "A text of the request holds the character U+0000." } }, 422);
  resources.logger.error({ error: error.message, stack: error.stack, path: c.req.path }, "an execution call failed");
  return c.json({ detail: { reason: "internal_error", message: "The server failed on this request; its log says why." } }, 500);
}
