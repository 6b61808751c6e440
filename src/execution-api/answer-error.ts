import type { Context } from "hono";
import { BaramError, isDatabaseAway } from "../platform/index.ts";
import { isValueFault } from "../store/index.ts";
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
  instant_out_of_bounds: 400,
  note_too_long: 400,
  instant_invalid: 400,
  data_interval_invalid: 400,
  logical_date_in_future: 400,
  run_id_refused: 400,
  database_timeout: 503,
};

export function answerError(error: Error, c: Context, resources: ExecutionApiResources): Response {
  // Not the error's own message, which contains the database's address.
  if (isDatabaseAway(error))
    return c.json({ detail: { reason: "database_unavailable", message: "The database cannot be reached. Try again." } }, 503);
  if (error instanceof BaramError) {
    const status = error instanceof Refusal ? error.status : STATUS_OF[error.code];
    if (status) {
      if (status === 401) c.header("www-authenticate", "Bearer");
      // Nothing of the body is read. On a connection that stays open, what is still to come would be received and thrown away.
      if ((status === 401 || status === 413) && hasBody(c)) c.header("connection", "close");
      return c.json({ detail: { reason: error.code, message: error.message, ...error.facts } }, status);
    }
  }
  // A value that no schema caught, such as a NUL in a text or a number out of range. Repeating the request would fail again, so it
  // is not a 500.
  if (isValueFault(error)) {
    const message = `The database refused a value of the request: ${error.message}. Check its texts and numbers.`;
    return c.json({ detail: { reason: "value_refused", message } }, 422);
  }
  resources.logger.error({ error: error.message, stack: error.stack, path: c.req.path }, "an execution call failed");
  return c.json({ detail: { reason: "internal_error", message: "The server failed on this request; its log says why." } }, 500);
}

function hasBody(c: Context): boolean {
  return c.req.header("transfer-encoding") !== undefined || Number(c.req.header("content-length") ?? 0) > 0;
}
