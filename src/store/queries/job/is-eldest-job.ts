import type { JobType } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** $1 id, $2 type. */
const statement = {
  name: "is-eldest-job",
  text: `select not exists (select 1 from job where job_type = $2 and state = 'running' and id < $1) as eldest`,
};

/** Whether no running job of the type is older: for work that one of several should do, and that is harmless if two do it. */
export async function isEldestJob(db: Db, type: JobType, id: number): Promise<boolean> {
  return (await db.query<{ eldest: boolean }>(statement, [id, type])).rows[0]?.eldest ?? false;
}
