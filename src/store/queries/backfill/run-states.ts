import type { DagRunState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

const statement = {
  name: "run-states-of-dates",
  text: `select logical_date as "logicalDate", state from dag_run where dag_id = $1 and logical_date = any($2::timestamptz[])`,
};

export async function runStatesOfDates(
  db: Db,
  dagId: string,
  dates: readonly Date[],
): Promise<{ logicalDate: Date; state: DagRunState }[]> {
  return (await db.query<{ logicalDate: Date; state: DagRunState }>(statement, [dagId, [...dates]])).rows;
}
