import type { DagRunState, DagRunTriggeredBy, DagRunType, JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

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

export type NewInstance = {
  taskId: string;
  /** -1 = not mapped, or not expanded yet. */
  mapIndex: number;
  operator: string;
  maxTries: number;
  pool: string;
  poolSlots: number;
  queue: string;
  executor: string;
  priorityWeight: number;
  maxActiveTisPerDag: number | null;
  maxActiveTisPerDagrun: number | null;
};

/** A task of a version that a run is moved to. */
export type PinnedTask = NewInstance & { isMapped: boolean };

/** The run and all its task instances in one statement; no row = the run id or the logical date is taken. */
const statement = {
  name: "create-run",
  text: `
with run as (
  insert into dag_run (dag_id, run_id, logical_date, data_interval_start, data_interval_end, run_after, run_type, triggered_by,
      triggering_user_name, conf, note, created_dag_version_id, timeout_sec, backfill_id, backfill_ordinal)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11, $12, $13, $25, $26)
  on conflict do nothing
  returning id, dag_id, run_id, state
), instances as (
  insert into task_instance (dag_run_id, dag_id, run_id, dag_version_id, task_id, map_index, operator, max_tries, pool, pool_slots, queue, executor,
      priority_weight, max_active_tis_per_dag, max_active_tis_per_dagrun, retries)
  select run.id, run.dag_id, run.run_id, $12, t.*, t.max_tries from run,
    unnest($14::text[], $15::int[], $16::text[], $17::int[], $18::text[], $19::int[], $20::text[], $21::text[], $22::int[], $23::int[], $24::int[])
      as t(task_id, map_index, operator, max_tries, pool, pool_slots, queue, executor, priority_weight, per_dag, per_run)
), told as materialized (
  select pg_notify('baram_scheduler', 'run') from run
)
select id, state, (select count(*) from told) as told from run`,
};

/** What instances take from their tasks, a column each: operator, tries, pool, its slots, queue, executor, weight, and the two limits. */
export function settingsOf(instances: readonly Omit<NewInstance, "taskId" | "mapIndex">[]): readonly unknown[][] {
  return [
    instances.map((i) => i.operator),
    instances.map((i) => i.maxTries),
    instances.map((i) => i.pool),
    instances.map((i) => i.poolSlots),
    instances.map((i) => i.queue),
    instances.map((i) => i.executor),
    instances.map((i) => i.priorityWeight),
    instances.map((i) => i.maxActiveTisPerDag),
    instances.map((i) => i.maxActiveTisPerDagrun),
  ];
}

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
    instances.map((i) => i.taskId),
    instances.map((i) => i.mapIndex),
    ...settingsOf(instances),
    run.backfill?.id ?? null,
    run.backfill?.ordinal ?? null,
  ]);
  return rows[0] ?? null;
}
