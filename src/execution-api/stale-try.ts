import { type Db, findStopReasons } from "../store/index.ts";
import { Refusal, TRY_NOT_RUNNING } from "./refusal.ts";

/** Adds the stored reason, if there is one, to the refusal of a try that is not running any more. Returns any other error unchanged. */
export async function withStopReason(db: Db, error: unknown): Promise<unknown> {
  if (!(error instanceof Refusal) || error.code !== TRY_NOT_RUNNING) return error;
  const id = String(error.facts.id);
  const reason = (await findStopReasons(db, [id])).get(id);
  if (reason === undefined) return error;
  return new Refusal(error.status, error.code, `Try ${id} is not running any more: ${reason}. Nothing was written; stop it.`, {
    id,
  });
}
