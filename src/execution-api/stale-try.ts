import type { Actor } from "../scheduler/commands/index.ts";
import { type Db, findStopReasons, triesByIds } from "../store/index.ts";
import { Refusal, TRY_NOT_RUNNING } from "./refusal.ts";

/** The refusal of a try that does not run any more, with the reason if somebody ended it. Any other error is left as it is. */
export async function withStopReason(db: Db, error: unknown): Promise<unknown> {
  if (!(error instanceof Refusal) || error.code !== TRY_NOT_RUNNING) return error;
  const id = String(error.facts.id);
  const reason = (await findStopReasons(db, [id])).get(id);
  if (reason === undefined) return error;
  return new Refusal(error.status, error.code, `Try ${id} does not run any more: ${reason}. Nothing was written; stop it.`, {
    id,
  });
}

/** The task that a request comes from. A callback is no try, and a try that was replaced cannot be found any more. */
export async function actorOf(db: Db, tryId: string): Promise<Actor> {
  const [found] = await triesByIds(db, [tryId]);
  return found ? { dagId: found.dagId, runId: found.runId, taskId: found.taskId } : { user: `try ${tryId}` };
}
