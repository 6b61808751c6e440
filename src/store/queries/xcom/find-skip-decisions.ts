import { SKIP_DECISION_KEY, type SkipDecisionRecord } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type SkipDecisionRow = { taskId: string; mapIndex: number; decision: SkipDecisionRecord };

/** $1 dag run, $2 key. What is not of the form (a task may push anything under any key) is left out. */
const statement = {
  name: "find-skip-decisions",
  text: `select task_id as "taskId", map_index as "mapIndex", value as decision from xcom
          where dag_run_id = $1 and key = $2
            and (json_typeof(value -> 'followed') = 'array' or json_typeof(value -> 'skipped') = 'array')`,
};

/** What branches and short circuits of a run decided. */
export async function findSkipDecisions(db: Db, dagRunId: number): Promise<SkipDecisionRow[]> {
  return (await db.query<SkipDecisionRow>(statement, [dagRunId, SKIP_DECISION_KEY])).rows;
}
