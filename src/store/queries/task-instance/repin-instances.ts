import type { Db } from "../../store.ts";
import type { PinnedTask } from "../dag-run/create-run.ts";

/**
 * $1 dag run, $2 the new version, $3.. its tasks, $13 whether each is mapped there. Instances take the new version's settings, tasks
 * that are new get one, and those of tasks that are gone, or are mapped no more, are removed with their results. Mapped tasks are
 * expanded anew when they are judged.
 */
const statement = {
  name: "repin-instances",
  text: `
with task as (
  select * from unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[], $13::bool[])
    as t(task_id, operator, max_tries, pool, pool_slots, queue, executor, priority_weight, per_dag, per_run, is_mapped)
), kept as (
  update task_instance ti
     set dag_version_id = $2, operator = t.operator, retries = t.max_tries, max_tries = ti.try_number + t.max_tries, pool = t.pool,
         pool_slots = t.pool_slots, queue = t.queue, executor = t.executor, priority_weight = t.priority_weight,
         max_active_tis_per_dag = t.per_dag, max_active_tis_per_dagrun = t.per_run, updated_at = now()
    from task t where ti.dag_run_id = $1 and ti.task_id = t.task_id and ti.state is null and (ti.map_index < 0 or t.is_mapped)
), gone as (
  update task_instance set state = 'removed', end_date = now(), updated_at = now()
   where dag_run_id = $1 and state is null
     and (task_id <> all($3) or (map_index >= 0 and task_id in (select task_id from task where not is_mapped)))
  returning dag_run_id, task_id, map_index
), emptied as (
  delete from xcom x using gone g where x.dag_run_id = g.dag_run_id and x.task_id = g.task_id and x.map_index = g.map_index
), unmeasured as (
  delete from task_map where dag_run_id = $1
)
insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, task_id, operator, max_tries, pool, pool_slots, queue, executor,
    priority_weight, max_active_tis_per_dag, max_active_tis_per_dagrun, retries)
select r.id, r.dag_id, r.run_id, $2, t.task_id, t.operator, t.max_tries, t.pool, t.pool_slots, t.queue, t.executor, t.priority_weight,
    t.per_dag, t.per_run, t.max_tries
  from dag_run r, task t
 where r.id = $1
   and not exists (select 1 from task_instance x
                    where x.dag_run_id = r.id and x.task_id = t.task_id and (x.map_index < 0 or t.is_mapped))`,
};

/** Call under the run's lock, with all its instances cleared, and one instance for each task; pin the run itself too, and restart it after. */
export async function repinInstances(
  tx: Db,
  dagRunId: number,
  versionId: string,
  instances: readonly PinnedTask[],
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
    instances.map((i) => i.isMapped),
  ]);
}
