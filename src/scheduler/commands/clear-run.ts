import type { TaskInstanceState } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { type ClearedInstance, clearInstances, type Db, lockRun, restartRun, type Store } from "../../store/index.ts";
import { type Actor, clearedBy } from "./stop-reason.ts";

export type ClearOptions = {
  /** null = every task of the run. */
  taskIds?: readonly string[] | null;
  /** Only instances in one of these states; null = any. */
  states?: readonly TaskInstanceState[] | null;
  /** false: leave the run's own state alone when it has ended. */
  resetRun?: boolean;
};

/** Clears task instances of a run so that they run again, and queues the run anew if it had ended. Throws `dag_run_not_found`. */
export async function clearRun(
  store: Store,
  dagId: string,
  runId: string,
  by: Actor,
  options: ClearOptions = {},
): Promise<ClearedInstance[]> {
  return store.transaction((tx) => clearRunWithin(tx, dagId, runId, by, options));
}

/** As `clearRun`, in the caller's transaction. */
export async function clearRunWithin(
  tx: Db,
  dagId: string,
  runId: string,
  by: Actor,
  options: ClearOptions = {},
): Promise<ClearedInstance[]> {
  const run = await lockRun(tx, dagId, runId);
  if (!run) throw new BaramError("dag_run_not_found", `DAG "${dagId}" has no run "${runId}".`, { dagId, runId });
  const cleared = await clearInstances(tx, run.id, options.taskIds ?? null, options.states ?? null, clearedBy(by));
  const hasEnded = run.state === "success" || run.state === "failed";
  if (cleared.length > 0) await restartRun(tx, run.id, hasEnded && options.resetRun !== false);
  return cleared;
}
