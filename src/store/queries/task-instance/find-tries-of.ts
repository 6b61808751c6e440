import type { Db } from "../../store.ts";
import { send, sql } from "../compose.ts";
import { TRY_COLUMNS, TRY_JOINS, type TryRow } from "./list-instances.ts";

/**
 * Every try of one task instance, oldest first: those that ended for good, then the current one. A retry that waits and a
 * cleared instance that did not start again still carry the number of the ended try, which the history has already.
 */
export async function findTriesOf(db: Db, dagRunId: number, taskId: string, mapIndex: number): Promise<TryRow[]> {
  return send<TryRow>(
    db,
    sql`
select ${TRY_COLUMNS} from task_instance_history ti ${TRY_JOINS}
 where ti.dag_run_id = ${dagRunId} and ti.task_id = ${taskId} and ti.map_index = ${mapIndex}
union all
select ${TRY_COLUMNS} from task_instance ti ${TRY_JOINS}
 where ti.dag_run_id = ${dagRunId} and ti.task_id = ${taskId} and ti.map_index = ${mapIndex} and ti.try_number > 0
   and not exists (select 1 from task_instance_history h
                    where h.dag_run_id = ti.dag_run_id and h.task_id = ti.task_id and h.map_index = ti.map_index and h.try_number = ti.try_number)
 order by "tryNumber", "endDate" nulls last`,
  );
}
