import type { Db } from "../../store.ts";

/** $1 try id, $2 the label shown instead of its map index. */
const statement = {
  name: "name-instance",
  text: "update task_instance set rendered_map_index = $2 where id = $1 and state = 'running'",
};

/** Returns false if that try is not running any more: nothing was written. */
export async function nameInstance(db: Db, tryId: string, name: string): Promise<boolean> {
  return (await db.query(statement, [tryId, name])).rowCount === 1;
}
