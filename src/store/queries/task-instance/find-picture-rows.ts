import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type PictureRow = { taskId: string; mapIndex: number; state: TaskInstanceState | null };

const statement = {
  name: "find-picture-rows",
  text: `select task_id as "taskId", map_index as "mapIndex", state from task_instance where dag_run_id = $1`,
};

export async function findPictureRows(db: Db, dagRunId: number): Promise<PictureRow[]> {
  return (await db.query<PictureRow>(statement, [dagRunId])).rows;
}
