import type { Db } from "../../store.ts";

/** $1 dag ids, $2 task ids, side by side. Read from the index ti_deferred_task, so that the task's other instances are not read. */
const statement = {
  name: "count-deferred",
  text: `
select ti.dag_id as "dagId", ti.task_id as "taskId", ti.dag_run_id as "dagRunId", count(*)::int as count
  from (select distinct * from unnest($1::text[], $2::text[]) as w(dag_id, task_id)) w
  join task_instance ti on ti.dag_id = w.dag_id and ti.task_id = w.task_id and ti.state = 'deferred'
 group by ti.dag_id, ti.task_id, ti.dag_run_id`,
};

export type DeferredCount = { dagId: string; taskId: string; dagRunId: number; count: number };

/** How many deferred instances each task has in each run. Call under the dispatch lock. */
export async function countDeferred(tx: Db, tasks: readonly { dagId: string; taskId: string }[]): Promise<DeferredCount[]> {
  return (await tx.query<DeferredCount>(statement, [tasks.map((one) => one.dagId), tasks.map((one) => one.taskId)])).rows;
}
