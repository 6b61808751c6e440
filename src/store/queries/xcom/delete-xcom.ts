import type { Db } from "../../store.ts";

/** $1 try id, $2 key. The try is held, so that it cannot end in between. */
const statement = {
  name: "delete-xcom-by-try",
  text: `
with held as materialized (
  select dag_run_id, task_id, map_index from task_instance where id = $1 and state = 'running' for share
), gone as (
  delete from xcom x using held h
   where x.dag_run_id = h.dag_run_id and x.task_id = h.task_id and x.map_index = h.map_index and x.key = $2
)
select 1 from held`,
};

/** Returns false if that try is not running any more: nothing was deleted. A missing key is no error. */
export async function deleteXcomByTry(db: Db, tryId: string, key: string): Promise<boolean> {
  return (await db.query(statement, [tryId, key])).rowCount === 1;
}
