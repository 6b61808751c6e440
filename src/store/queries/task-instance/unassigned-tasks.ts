import type { Db } from "../../store.ts";

export type UnassignedTask = { dagId: string; versionId: string; taskId: string; executor: string; count: number };

/** $1 executors there are. Tasks whose instances are scheduled for an executor that is not among them. */
const select = {
  name: "unassigned-tasks",
  text: `
select dag_id as "dagId", dag_version_id as "versionId", task_id as "taskId", executor, count(*)::int as count
  from task_instance
 where state = 'scheduled' and executor <> all($1)
 group by dag_id, dag_version_id, task_id, executor
 order by dag_id, task_id, executor`,
};

export async function findUnassignedTasks(db: Db, executors: readonly string[]): Promise<UnassignedTask[]> {
  return (await db.query<UnassignedTask>(select, [executors])).rows;
}

/** $1 DAG versions, $2 tasks, $3 the executors their instances wait for, $4 the one they are given to. */
const move = {
  name: "reassign-instances",
  text: `
with held as materialized (
  select ti.id
    from task_instance ti join unnest($1::uuid[], $2::text[], $3::text[]) as t(version_id, task_id, executor)
      on ti.dag_version_id = t.version_id and ti.task_id = t.task_id and ti.executor = t.executor
   where ti.state = 'scheduled'
   order by ti.id
   for no key update of ti
), moved as (
  update task_instance ti set executor = $4, updated_at = now() from held where ti.id = held.id
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'scheduled') from (select 1 from moved limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from moved`,
};

/** Call under the dispatch lock: a running dispatch has read which executor they are for. */
export async function reassignInstances(tx: Db, tasks: readonly UnassignedTask[], executor: string): Promise<number> {
  const versions = tasks.map(({ versionId }) => versionId);
  const ids = tasks.map(({ taskId }) => taskId);
  const from = tasks.map((one) => one.executor);
  return (await tx.query<{ count: number }>(move, [versions, ids, from, executor])).rows[0]?.count ?? 0;
}
