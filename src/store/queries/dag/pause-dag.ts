import type { Db } from "../../store.ts";

const streak = {
  name: "failed-streak",
  text: `select count(*) filter (where state = 'failed')::int as failed
           from (select state from dag_run where dag_id = $1 and state in ('success', 'failed') order by end_date desc nulls last, id desc limit $2) latest`,
};

/** How many of the DAG's last `limit` ended runs failed. */
export async function failedStreak(tx: Db, dagId: string, limit: number): Promise<number> {
  return (await tx.query<{ failed: number }>(streak, [dagId, limit])).rows[0]?.failed ?? 0;
}

export async function pauseDag(db: Db, dagId: string): Promise<void> {
  await db.query("update dag set is_paused = true where dag_id = $1", [dagId]);
}
