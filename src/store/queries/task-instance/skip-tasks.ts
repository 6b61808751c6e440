import type { Db } from "../../store.ts";

/** A task, or with a map index one of its instances. */
export type SkipTarget = string | { taskId: string; mapIndex: number };

/** $1 dag run, $2 task ids, $3 map indexes (null = all). Only what has not started: a branch decides over tasks that wait for it. */
const statement = {
  name: "skip-tasks",
  text: `
with held as materialized (
  select ti.id from task_instance ti
   where ti.dag_run_id = $1 and ti.task_id = any($2) and (ti.state is null or ti.state = 'scheduled')
     and exists (select 1 from unnest($2::text[], $3::int[]) as t(task_id, map_index)
                  where t.task_id = ti.task_id and (t.map_index is null or t.map_index = ti.map_index))
   order by ti.id
   for no key update
), skipped as (
  update task_instance ti set state = 'skipped', start_date = now(), end_date = now(), duration = 0, updated_at = now()
    from held where ti.id = held.id
  returning ti.dag_run_id, ti.task_id, ti.map_index
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state) select dag_run_id, task_id, map_index, 'skipped' from skipped
), told as materialized (select pg_notify('baram_scheduler', 'event') from (select 1 from skipped limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from skipped`,
};

/** Call under the run's lock. */
export async function skipTasks(tx: Db, dagRunId: number, targets: readonly SkipTarget[]): Promise<void> {
  await tx.query(statement, [
    dagRunId,
    targets.map((target) => (typeof target === "string" ? target : target.taskId)),
    targets.map((target) => (typeof target === "string" ? null : target.mapIndex)),
  ]);
}
