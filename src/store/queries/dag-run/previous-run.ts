import type { DagRunState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { RUN_COLUMNS, type RunFacts } from "./find-run.ts";

/** $1 dag, $2 logical date, $3 state (null = any). */
const statement = {
  name: "previous-run",
  text: `select ${RUN_COLUMNS} from dag_run r
          where r.dag_id = $1 and r.logical_date < $2 and ($3::text is null or r.state = $3)
          order by r.logical_date desc limit 1`,
};

/** The DAG's last run before a logical date. */
export async function findPreviousRun(
  db: Db,
  dagId: string,
  logicalDate: Date,
  state: DagRunState | null,
): Promise<RunFacts | null> {
  return (await db.query<RunFacts>(statement, [dagId, logicalDate, state])).rows[0] ?? null;
}
