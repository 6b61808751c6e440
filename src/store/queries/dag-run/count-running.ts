import type { Db } from "../../store.ts";

export async function countRunningRuns(db: Db): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: "count-running-runs",
    text: "select count(*)::int as count from dag_run where state = 'running'",
  });
  return rows[0]?.count ?? 0;
}
