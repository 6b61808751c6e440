import type { Db } from "../../store.ts";
import { type NewInstance, settingArrays, settingColumns, settingsFrom, settingValues } from "../task-instance/columns.ts";

/** A task of a version that a run is moved to. */
export type PinnedTask = NewInstance & { isMapped: boolean };

/**
 * $1 dag run, $2 DAG version, $3 the version's tasks, $4 whether each is mapped there, then their settings. Instances that wait get
 * the version's settings; instances of tasks that it added are created; instances of tasks that it lacks, or no longer maps, are
 * removed with their results if they have not started. Running and ended tries keep the version they ran under.
 */
const statement = {
  name: "repin-run",
  text: `
with run as (
  update dag_run set created_dag_version_id = $2, updated_at = now() where id = $1 returning id, dag_id, run_id
), wanted as materialized (
  select * from unnest($3::text[], $4::bool[], ${settingArrays(5)}) as w(task_id, is_mapped, ${settingColumns()})
), moved as (
  update task_instance ti
     set dag_version_id = $2, max_tries = ti.try_number + w.retries, ${settingsFrom("w")}, updated_at = now()
    from wanted w where ti.dag_run_id = $1 and ti.task_id = w.task_id and ti.state is null and (ti.map_index < 0 or w.is_mapped)
), lacking as materialized (
  select ti.id from task_instance ti
   where ti.dag_run_id = $1 and not exists (select 1 from wanted w where w.task_id = ti.task_id and (ti.map_index < 0 or w.is_mapped))
     and (ti.state is null or ti.state in ('scheduled', 'up_for_retry', 'up_for_reschedule'))
   order by ti.id
   for no key update
), gone as (
  update task_instance ti set state = 'removed', next_attempt_at = null, updated_at = now()
    from lacking where ti.id = lacking.id
  returning ti.dag_run_id, ti.task_id, ti.map_index
), emptied as (
  delete from xcom x using gone g where x.dag_run_id = g.dag_run_id and x.task_id = g.task_id and x.map_index = g.map_index
), unmeasured as (
  delete from task_map m using gone g where m.dag_run_id = g.dag_run_id and m.task_id = g.task_id and m.map_index = g.map_index
)
insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, task_id, max_tries, ${settingColumns()})
select run.id, run.dag_id, run.run_id, $2, w.task_id, w.retries, ${settingColumns("w")}
  from run, wanted w
 where not exists (select 1 from task_instance ti where ti.dag_run_id = run.id and ti.task_id = w.task_id
                      and (ti.map_index < 0 or w.is_mapped
                           or (ti.state is not null and ti.state not in ('scheduled', 'up_for_retry', 'up_for_reschedule'))))`,
};

/** Puts the run on another version of its DAG. Call under the run's lock, and restart the run after. */
export async function repinRun(tx: Db, dagRunId: number, versionId: string, tasks: readonly PinnedTask[]): Promise<void> {
  await tx.query(statement, [
    dagRunId,
    versionId,
    tasks.map(({ task }) => task.taskId),
    tasks.map(({ isMapped }) => isMapped),
    ...settingValues(tasks),
  ]);
}
