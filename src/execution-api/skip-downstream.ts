import { holdTry, lockRun, type SkipTarget, type Store, skipTasks, triesByIds } from "../store/index.ts";
import { staleTry } from "./refusal.ts";

/**
 * Skips tasks of the try's own run, as a branch decides. Airflow's workers send this while the branch is running, and its end
 * later; a batch's `finish` contains both.
 */
export async function skipDownstream(store: Store, tryId: string, targets: readonly SkipTarget[]): Promise<void> {
  await store.transaction(async (tx) => {
    const [fact] = await triesByIds(tx, [tryId]);
    if (!fact) throw staleTry(tryId);
    // Lock order everywhere: the run before its task instances.
    await lockRun(tx, fact.dagId, fact.runId);
    if (!(await holdTry(tx, tryId))) throw staleTry(tryId);
    await skipTasks(tx, fact.dagRunId, targets);
  });
}
