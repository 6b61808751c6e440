import type { Db } from "../../store.ts";

const streak = {
  name: "failed-streak",
  text: `select count(*) filter (where state = 'failed')::int as failed
           from (select state from dag_run where dag_id = $1 and state in ('success', 'failed') order by end_date desc nulls last, id desc limit $2) latest`,
};

/** Number of failed runs among the DAG's last `limit` ended runs. */
export async function failedStreak(tx: Db, dagId: string, limit: number): Promise<number> {
  return (await tx.query<{ failed: number }>(streak, [dagId, limit])).rows[0]?.failed ?? 0;
}

const streakLock = { name: "streak-lock", text: "select pg_advisory_xact_lock($1, hashtext($2))" };
const STREAK_LOCK = 727_003;

/**
 * Serializes counting of this DAG's failures until the end of the transaction. A separate statement, since the count needs a
 * snapshot taken after it. An advisory lock, not the DAG's row, which would have to be locked before the run.
 */
export async function lockStreak(tx: Db, dagId: string): Promise<void> {
  await tx.query(streakLock, [STREAK_LOCK, dagId]);
}

/** Returns false if it was already paused. */
export async function pauseDag(db: Db, dagId: string): Promise<boolean> {
  return (await db.query("update dag set is_paused = true where dag_id = $1 and not is_paused", [dagId])).rowCount === 1;
}
