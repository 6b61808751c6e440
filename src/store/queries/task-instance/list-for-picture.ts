import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type PictureRow = { taskId: string; mapIndex: number; state: TaskInstanceState | null };

const statement = {
  name: "list-for-picture",
  text: `select task_id as "taskId", map_index as "mapIndex", state from task_instance where dag_run_id = $1`,
};

export async function listForPicture(db: Db, dagRunId: number): Promise<PictureRow[]> {
  return (await db.query<PictureRow>(statement, [dagRunId])).rows;
}
