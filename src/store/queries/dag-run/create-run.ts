import type { DagRunState, DagRunTriggeredBy, DagRunType, JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { type NewInstance, settingArrays, settingColumns, settingValues } from "../task-instance/columns.ts";

export type NewRun = {
  dagId: string;
  runId: string;
  logicalDate: Date | null;
  dataIntervalStart: Date | null;
  dataIntervalEnd: Date | null;
  runAfter: Date;
  runType: DagRunType;
  triggeredBy: DagRunTriggeredBy;
  triggeringUserName: string | null;
  conf: JsonObject;
  note: string | null;
  versionId: string;
  timeoutSec: number | null;
  /** The backfill it is made for, and its place there. */
  backfill: { id: number; ordinal: number } | null;
};

/** The run and all its task instances in one statement; no row = the run id or the logical date is taken. */
const statement = {
  name: "create-run",
  text: `
with run as (
  insert into dag_run (dag_id, run_id, logical_date, data_interval_start, data_interval_end, run_after, run_type, triggered_by,
      triggering_user_name, conf, note, created_dag_version_id, timeout_sec, backfill_id, backfill_ordinal)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11, $12, $13, $14, $15)
  on conflict do nothing
  returning id, dag_id, run_id, state
), instances as (
  insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, max_tries, task_id, map_index, ${settingColumns()})
  select run.id, run.dag_id, run.run_id, $12, t.retries, t.*
    from run, unnest($16::text[], $17::int[], ${settingArrays(18)}) as t(task_id, map_index, ${settingColumns()})
), told as materialized (
  select pg_notify('baram_scheduler', 'run') from run
)
select id, state, (select count(*) from told) as told from run`,
};

/** Returns null if a run of this DAG has that run id or logical date already; nothing was written then. */
export async function createRun(
  db: Db,
  run: NewRun,
  instances: readonly NewInstance[],
): Promise<{ id: number; state: DagRunState } | null> {
  const { rows } = await db.query<{ id: number; state: DagRunState }>(statement, [
    run.dagId,
    run.runId,
    run.logicalDate,
    run.dataIntervalStart,
    run.dataIntervalEnd,
    run.runAfter,
    run.runType,
    run.triggeredBy,
    run.triggeringUserName,
    JSON.stringify(run.conf),
    run.note,
    run.versionId,
    run.timeoutSec,
    run.backfill?.id ?? null,
    run.backfill?.ordinal ?? null,
    instances.map(({ task }) => task.taskId),
    instances.map(({ mapIndex }) => mapIndex),
    ...settingValues(instances),
  ]);
  return rows[0] ?? null;
}
