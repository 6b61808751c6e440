import type { Db } from "../../store.ts";

export type MeasuredState = "scheduled" | "queued" | "running" | "deferred";
export type StateCount = {
  state: MeasuredState;
  queue: string;
  dagId: string;
  taskId: string;
  executor: string;
  count: number;
};

/** The largest first, so that a limit on the number of series keeps the largest. Partial indexes only, as in measure-pools. */
const statement = {
  name: "count-by-state",
  text: `
select case when state = 'restarting' then 'running' else state end as state, queue, dag_id as "dagId", task_id as "taskId", executor,
       count(*)::int as count
  from (select state, queue, dag_id, task_id, executor from task_instance where state in ('queued', 'running', 'restarting')
        union all
        select state, queue, dag_id, task_id, executor from task_instance where state = 'scheduled'
        union all
        select state, queue, dag_id, task_id, executor from task_instance where state = 'deferred') active
 group by 1, 2, 3, 4, 5 order by count desc, 3, 4`,
};

export async function countByState(db: Db): Promise<StateCount[]> {
  return (await db.query<StateCount>(statement)).rows;
}
