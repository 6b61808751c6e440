import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type Progress = { dagId: string; taskId: string; state: TaskInstanceState; duration: number | null };

/** Task instances of these DAGs that have ended or started since `from`, in that order. */
export async function runProgress(db: Db, dagIds: readonly string[], from: Date | null): Promise<Progress[]> {
  const { rows } = await db.query<Progress>(
    `select dag_id as "dagId", task_id as "taskId", state, case when state = 'running' then null else duration end as duration
       from task_instance
      where dag_id = any($1) and start_date >= $2 and state in ('running', 'success', 'failed', 'skipped', 'upstream_failed', 'up_for_retry')
      order by coalesce(end_date, start_date)`,
    [dagIds, from],
  );
  return rows;
}
