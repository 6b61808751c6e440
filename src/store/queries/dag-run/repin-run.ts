import type { Db } from "../../store.ts";
import type { NewInstance } from "./create-run.ts";

/**
 * $1 dag run, $2 DAG version, $3..$12 the version's tasks. What waits follows the version's settings, what it added is made,
 * what it lacks and has not started is removed. Tries that run or have ended stay with the version they ran under.
 */
const statement = {
  name: "repin-run",
  text: `
with run as (
  update dag_run set created_dag_version_id = $2, updated_at = now() where id = $1 returning id, dag_id, run_id
), wanted as materialized (
  select * from unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[])
    as w(task_id, operator, retries, pool, pool_slots, queue, executor, priority_weight, per_dag, per_run)
), moved as (
  update task_instance ti
     set dag_version_id = $2, operator = w.operator, retries = w.retries, max_tries = ti.try_number + w.retries, pool = w.pool,
         pool_slots = w.pool_slots, queue = w.queue, executor = w.executor, priority_weight = w.priority_weight,
         max_active_tis_per_dag = w.per_dag, max_active_tis_per_dagrun = w.per_run, updated_at = now()
    from wanted w where ti.dag_run_id = $1 and ti.task_id = w.task_id and ti.state is null
), gone as (
  update task_instance ti set state = 'removed', next_attempt_at = null, updated_at = now()
   where ti.dag_run_id = $1 and ti.task_id not in (select task_id from wanted)
     and (ti.state is null or ti.state in ('scheduled', 'up_for_retry', 'up_for_reschedule'))
)
insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, task_id, operator, max_tries, pool, pool_slots, queue, executor,
    priority_weight, max_active_tis_per_dag, max_active_tis_per_dagrun, retries)
select run.id, run.dag_id, run.run_id, $2, w.task_id, w.operator, w.retries, w.pool, w.pool_slots, w.queue, w.executor,
    w.priority_weight, w.per_dag, w.per_run, w.retries
  from run, wanted w
 where not exists (select 1 from task_instance ti where ti.dag_run_id = run.id and ti.task_id = w.task_id)`,
};

/** Puts the run on another version of its DAG. Call under the run's lock, and restart the run after. */
export async function repinRun(tx: Db, dagRunId: number, versionId: string, tasks: readonly NewInstance[]): Promise<void> {
  await tx.query(statement, [
    dagRunId,
    versionId,
    tasks.map((i) => i.taskId),
    tasks.map((i) => i.operator),
    tasks.map((i) => i.maxTries),
    tasks.map((i) => i.pool),
    tasks.map((i) => i.poolSlots),
    tasks.map((i) => i.queue),
    tasks.map((i) => i.executor),
    tasks.map((i) => i.priorityWeight),
    tasks.map((i) => i.maxActiveTisPerDag),
    tasks.map((i) => i.maxActiveTisPerDagrun),
  ]);
}
