import type { DagRunState, DagRunType, JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type RunFacts = {
  id: number;
  dagId: string;
  runId: string;
  runType: DagRunType;
  state: DagRunState;
  logicalDate: Date | null;
  dataIntervalStart: Date | null;
  dataIntervalEnd: Date | null;
  runAfter: Date;
  startDate: Date | null;
  endDate: Date | null;
  conf: JsonObject;
  note: string | null;
  clearNumber: number;
  triggeringUserName: string | null;
  versionId: string | null;
};

export const RUN_COLUMNS = `r.id, r.dag_id as "dagId", r.run_id as "runId", r.run_type as "runType", r.state, r.logical_date as "logicalDate",
  r.data_interval_start as "dataIntervalStart", r.data_interval_end as "dataIntervalEnd", r.run_after as "runAfter", r.start_date as "startDate",
  r.end_date as "endDate", r.conf, r.note, r.clear_number as "clearNumber", r.triggering_user_name as "triggeringUserName",
  r.created_dag_version_id as "versionId"`;

const byRunId = { name: "run-by-run-id", text: `select ${RUN_COLUMNS} from dag_run r where r.dag_id = $1 and r.run_id = $2` };
const byLogicalDate = {
  name: "run-by-logical-date",
  text: `select ${RUN_COLUMNS} from dag_run r where r.dag_id = $1 and r.logical_date = $2`,
};
const locked = {
  name: "lock-run",
  text: `select ${RUN_COLUMNS} from dag_run r where r.dag_id = $1 and r.run_id = $2 for no key update`,
};
const byKey = { name: "run-by-key", text: `select ${RUN_COLUMNS} from dag_run r where r.id = $1` };

export async function findRun(db: Db, dagId: string, runId: string): Promise<RunFacts | null> {
  return (await db.query<RunFacts>(byRunId, [dagId, runId])).rows[0] ?? null;
}

export async function findRunByLogicalDate(db: Db, dagId: string, logicalDate: Date): Promise<RunFacts | null> {
  return (await db.query<RunFacts>(byLogicalDate, [dagId, logicalDate])).rows[0] ?? null;
}

export async function findRunByKey(db: Db, id: number): Promise<RunFacts | null> {
  return (await db.query<RunFacts>(byKey, [id])).rows[0] ?? null;
}

/** Locks the run against evaluation until the transaction ends. */
export async function lockRun(tx: Db, dagId: string, runId: string): Promise<RunFacts | null> {
  return (await tx.query<RunFacts>(locked, [dagId, runId])).rows[0] ?? null;
}
