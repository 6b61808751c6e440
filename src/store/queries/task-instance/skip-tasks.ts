import type { Db } from "../../store.ts";

/** $1 dag run, $2 task ids. Only what has not started: a branch decides over tasks that wait for it. */
const statement = {
  name: "skip-tasks",
  text: `
with skipped as (
  update task_instance set state = 'skipped', start_date = now(), end_date = now(), duration = 0, updated_at = now()
   where dag_run_id = $1 and task_id = any($2) and (state is null or state = 'scheduled')
  returning dag_run_id, task_id, map_index
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state) select dag_run_id, task_id, map_index, 'skipped' from skipped
), told as materialized (select pg_notify('baram_scheduler', 'event') from (select 1 from skipped limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from skipped`,
};

export async function skipTasks(db: Db, dagRunId: number, taskIds: readonly string[]): Promise<void> {
  await db.query(statement, [dagRunId, taskIds]);
}
