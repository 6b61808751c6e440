import type { DagRunState, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type RunStates = {
  runId: string;
  logicalDate: Date | null;
  state: DagRunState;
  tasks: { taskId: string; mapIndex: number; state: TaskInstanceState | null }[];
};

/** $1 dag id, $2 task ids or null for none, $3 logical dates or null, $4 run ids or null. */
const statement = {
  name: "task-states",
  text: `
select r.run_id as "runId", r.logical_date as "logicalDate", r.state,
       coalesce((select json_agg(json_build_object('taskId', ti.task_id, 'mapIndex', ti.map_index, 'state', ti.state))
                   from task_instance ti where ti.dag_run_id = r.id and ti.task_id = any($2)), '[]') as tasks
  from dag_run r
 where r.dag_id = $1 and (($3::timestamptz[] is not null and r.logical_date = any($3)) or ($4::text[] is not null and r.run_id = any($4)))
 order by r.id`,
};

export async function taskStates(
  db: Db,
  query: {
    dagId: string;
    taskIds: readonly string[] | null;
    logicalDates: readonly string[] | null;
    runIds: readonly string[] | null;
  },
): Promise<RunStates[]> {
  return (await db.query<RunStates>(statement, [query.dagId, query.taskIds ?? [], query.logicalDates, query.runIds])).rows;
}
