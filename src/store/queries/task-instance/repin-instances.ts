import type { Db } from "../../store.ts";
import type { NewInstance } from "../dag-run/create-run.ts";

/**
 * $1 dag run, $2 the new version, $3.. its tasks. Instances take the new version's settings, tasks that are new get one, and
 * those of tasks that are gone are removed.
 */
const statement = {
  name: "repin-instances",
  text: `
with task as (
  select * from unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[])
    as t(task_id, operator, max_tries, pool, pool_slots, queue, executor, priority_weight, per_dag, per_run)
), kept as (
  update task_instance ti
     set dag_version_id = $2, operator = t.operator, retries = t.max_tries, max_tries = ti.try_number + t.max_tries, pool = t.pool,
         pool_slots = t.pool_slots, queue = t.queue, executor = t.executor, priority_weight = t.priority_weight,
         max_active_tis_per_dag = t.per_dag, max_active_tis_per_dagrun = t.per_run, updated_at = now()
    from task t where ti.dag_run_id = $1 and ti.task_id = t.task_id and ti.state is null
), gone as (
  update task_instance set state = 'removed', end_date = now(), updated_at = now()
   where dag_run_id = $1 and state is null and task_id <> all($3)
)
insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, task_id, operator, max_tries, pool, pool_slots, queue, executor,
    priority_weight, max_active_tis_per_dag, max_active_tis_per_dagrun, retries)
select r.id, r.dag_id, r.run_id, $2, t.*, t.max_tries from dag_run r, task t
 where r.id = $1 and not exists (select 1 from task_instance x where x.dag_run_id = r.id and x.task_id = t.task_id)`,
};

/** Call under the run's lock, with all its instances cleared; pin the run itself too, and restart it after. */
export async function repinInstances(
  tx: Db,
  dagRunId: number,
  versionId: string,
  instances: readonly NewInstance[],
): Promise<void> {
  await tx.query(statement, [
    dagRunId,
    versionId,
    instances.map((i) => i.taskId),
    instances.map((i) => i.operator),
    instances.map((i) => i.maxTries),
    instances.map((i) => i.pool),
    instances.map((i) => i.poolSlots),
    instances.map((i) => i.queue),
    instances.map((i) => i.executor),
    instances.map((i) => i.priorityWeight),
    instances.map((i) => i.maxActiveTisPerDag),
    instances.map((i) => i.maxActiveTisPerDagrun),
  ]);
}
