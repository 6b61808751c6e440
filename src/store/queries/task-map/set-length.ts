import type { Db } from "../../store.ts";

/** $1 try id, $2 length. */
const statement = {
  name: "set-map-length",
  text: `
insert into task_map (dag_run_id, task_id, map_index, length)
select ti.dag_run_id, ti.task_id, ti.map_index, $2 from task_instance ti where ti.id = $1 and ti.state = 'running' for share
on conflict (dag_run_id, task_id, map_index) do update set length = excluded.length`,
};

/** As a try of another SDK reports it with its XCom, before it ends. Returns false if that try runs no more. */
export async function setMapLength(db: Db, tryId: string, length: number): Promise<boolean> {
  return (await db.query(statement, [tryId, length])).rowCount === 1;
}
