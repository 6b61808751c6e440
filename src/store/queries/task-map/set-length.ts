import type { Db } from "../../store.ts";

/** $1 try id, $2 length. */
const statement = {
  name: "set-map-length",
  text: `
insert into task_map (dag_run_id, task_id, map_index, length)
select ti.dag_run_id, ti.task_id, ti.map_index, $2 from task_instance ti where ti.id = $1 and ti.state = 'running' for share
on conflict (dag_run_id, task_id, map_index) do update set length = excluded.length`,
};

/**
 * For clients of other SDKs, which report the length with the XCom, before the try ends. Returns false if that try is not running
 * any more.
 */
export async function setMapLength(db: Db, tryId: string, length: number): Promise<boolean> {
  return (await db.query(statement, [tryId, length])).rowCount === 1;
}
