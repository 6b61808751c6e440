import { BaramError } from "../../../platform/index.ts";
import { cancelBackfillRuns, lockBackfill, type Store, setBackfillPaused } from "../../../store/index.ts";
import { type Actor, nameOf } from "../stop-reason.ts";

export type BackfillChange = "pause" | "unpause" | "cancel";

/**
 * pause: no further run of the backfill starts; unpause: they start again. cancel: its queued runs fail, with a note that says who
 * cancelled it, its running runs go on, and it is completed. When this returns, the change holds: runs start under the same lock.
 * Returns the backfill's DAG.
 * Throws `backfill_not_found`, and `backfill_completed` for one that has ended.
 */
export async function changeBackfill(store: Store, id: number, change: BackfillChange, by: Actor): Promise<string> {
  return store.transaction(async (tx) => {
    const backfill = await lockBackfill(tx, id);
    if (!backfill)
      throw new BaramError(
        "backfill_not_found",
        `There is no backfill ${id}. See "baram backfill list" for the ones there are.`,
        {
          id,
        },
      );
    if (backfill.completedAt)
      throw new BaramError(
        "backfill_completed",
        `Backfill ${id} of DAG "${backfill.dagId}" was completed at ${backfill.completedAt.toISOString()}: there is nothing to ${change}.`,
        { id },
      );
    if (change === "cancel") await cancelBackfillRuns(tx, id, `Failed: its backfill ${id} was cancelled by ${nameOf(by)}.`);
    else await setBackfillPaused(tx, id, change === "pause");
    return backfill.dagId;
  });
}
