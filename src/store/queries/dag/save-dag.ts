import type { SerializedDag } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { IS_KEPT } from "./dag-ownership.ts";

/** `code`: gzip of the module's text. */
export async function saveModule(db: Db, module: { hash: string; code: Buffer; externals: readonly string[] }): Promise<void> {
  await db.query("insert into dag_module (hash, code, externals) values ($1, $2, $3) on conflict (hash) do nothing", [
    module.hash,
    module.code,
    module.externals,
  ]);
}

type File = { bundleName: string; relativePath: string };

/**
 * Locks the rows of these DAGs and of those that the file owns, in the order of their ids, and returns the ids that have a row. A
 * separate statement, since the check whether an owner keeps its DAG needs a snapshot taken after the locks.
 */
export async function lockDagsToSave(tx: Db, file: File, dagIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ dagId: string }>(
    `select dag_id as "dagId" from dag where dag_id = any($1) or (bundle_name = $2 and filename = $3) order by dag_id for no key update`,
    [dagIds, file.bundleName, file.relativePath],
  );
  return new Set(rows.map((row) => row.dagId));
}

export type SavedDag = File & {
  dag: SerializedDag;
  timetableSummary: string;
  scheduleHash: string;
  isPaused: boolean;
  /** The row existed and is locked. */
  isLocked: boolean;
  takeFrom: readonly File[];
};

/**
 * $15 the row was locked before; $16 and $17 bundles and paths of files from which the DAG may be taken although they keep it.
 */
const save = `
insert into dag (dag_id, display_name, description, bundle_name, filename, tags, owners, is_paused, timetable_summary, timetable_type,
    max_active_runs, max_active_tasks, max_consecutive_failed_dag_runs, schedule_hash)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (dag_id) do update
  set display_name = excluded.display_name, description = excluded.description, bundle_name = excluded.bundle_name, filename = excluded.filename,
      tags = excluded.tags, owners = excluded.owners, is_stale = false, timetable_summary = excluded.timetable_summary,
      timetable_type = excluded.timetable_type, max_active_runs = excluded.max_active_runs, max_active_tasks = excluded.max_active_tasks,
      max_consecutive_failed_dag_runs = excluded.max_consecutive_failed_dag_runs, last_parsed_time = now(), schedule_hash = excluded.schedule_hash
  where $15 and (dag.bundle_name = excluded.bundle_name and dag.filename = excluded.filename
    or exists (select 1 from unnest($16::text[], $17::text[]) t (bundle_name, filename) where t.bundle_name = dag.bundle_name and t.filename = dag.filename)
    or not ${IS_KEPT})
returning (select o.schedule_hash from dag o where o.dag_id = $1) as "oldScheduleHash", (select o.is_stale from dag o where o.dag_id = $1) as "wasStale",
          (select o.timetable_type from dag o where o.dag_id = $1) as "oldTimetableType"`;

export type DagBefore = { oldScheduleHash: string | null; wasStale: boolean | null; oldTimetableType: string | null };

/**
 * Creates or updates the DAG's row, which stays locked until the transaction ends. `isPaused` applies only to a new DAG. null:
 * another file owns the DAG and keeps it, or, if the row was not locked, another process has just created it.
 */
export async function saveDag(tx: Db, saved: SavedDag): Promise<DagBefore | null> {
  const { dag } = saved;
  const { rows } = await tx.query<DagBefore>(save, [
    dag.dagId,
    dag.displayName,
    dag.description,
    saved.bundleName,
    saved.relativePath,
    dag.tags,
    dag.owners,
    saved.isPaused,
    saved.timetableSummary,
    dag.timetable.type,
    dag.maxActiveRuns,
    dag.maxActiveTasks,
    dag.maxConsecutiveFailedDagRuns,
    saved.scheduleHash,
    saved.isLocked,
    saved.takeFrom.map((file) => file.bundleName),
    saved.takeFrom.map((file) => file.relativePath),
  ]);
  return rows[0] ?? null;
}

/** The file that the DAG's row names. */
export async function findOwner(db: Db, dagId: string): Promise<File | null> {
  const { rows } = await db.query<File>(
    `select bundle_name as "bundleName", filename as "relativePath" from dag where dag_id = $1`,
    [dagId],
  );
  return rows[0] ?? null;
}

/** $1 DAG, $2 pools, $3 the largest number of slots that one task needs in each pool. Only changes are written. */
const pools = {
  name: "save-dag-pools",
  text: `
with named as (select * from unnest($2::text[], $3::int[]) as n(pool, pool_slots)),
gone as (delete from dag_pool where dag_id = $1 and pool not in (select pool from named))
insert into dag_pool (dag_id, pool, pool_slots) select $1, pool, pool_slots from named
on conflict (dag_id, pool) do update set pool_slots = excluded.pool_slots, updated_at = now()
  where dag_pool.pool_slots <> excluded.pool_slots`,
};

/** Stores which pools the DAG names, for its warnings. Call after saveDag. */
export async function saveDagPools(tx: Db, dag: SerializedDag): Promise<void> {
  const most = new Map<string, number>();
  for (const { pool, poolSlots } of dag.tasks) most.set(pool, Math.max(poolSlots, most.get(pool) ?? 0));
  await tx.query(pools, [dag.dagId, [...most.keys()], [...most.values()]]);
}

const version = `
with current as (select v.* from dag d join dag_version v on v.id = d.current_version_id where d.dag_id = $1),
made as (
  insert into dag_version (dag_id, version_number, dag_hash, module_hash)
  select $1, coalesce((select max(version_number) from dag_version where dag_id = $1), 0) + 1, $2, $3
   where not exists (select 1 from current c where c.dag_hash = $2 and c.module_hash = $3)
  returning id
), stored as (
  insert into serialized_dag (dag_version_id, dag_id, data) select id, $1, $4::json from made
)
update dag set current_version_id = made.id from made where dag.dag_id = $1 returning made.id`;

/**
 * Makes a new version the current one unless the current one has the same pair of hashes. Call after saveDag. Returns whether it
 * did.
 */
export async function saveVersion(tx: Db, saved: { dag: SerializedDag; dagHash: string; moduleHash: string }): Promise<boolean> {
  return (await tx.query(version, [saved.dag.dagId, saved.dagHash, saved.moduleHash, JSON.stringify(saved.dag)])).rowCount === 1;
}

/** Makes all other DAGs of this file stale, and returns them. Call after `lockDagsToSave`. */
export async function staleOthers(tx: Db, file: File, dagIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ dagId: string }>(
    `update dag set is_stale = true where bundle_name = $1 and filename = $2 and dag_id <> all($3) and not is_stale returning dag_id as "dagId"`,
    [file.bundleName, file.relativePath, dagIds],
  );
  return rows.map((row) => row.dagId);
}

export type LastScheduledRun = { logicalDate: Date; dataIntervalStart: Date; dataIntervalEnd: Date; runAfter: Date };

/**
 * The newest run that the schedule created. A backfill's own runs do not advance the schedule; a scheduled run that a backfill
 * processed again has kept its run id.
 */
export async function lastScheduledRun(tx: Db, dagId: string): Promise<LastScheduledRun | null> {
  const { rows } = await tx.query<LastScheduledRun>(
    `select logical_date as "logicalDate", data_interval_start as "dataIntervalStart", data_interval_end as "dataIntervalEnd", run_after as "runAfter"
       from dag_run where dag_id = $1 and (run_type = 'scheduled' or (run_type = 'backfill' and starts_with(run_id, 'scheduled__')))
        and logical_date is not null order by logical_date desc limit 1`,
    [dagId],
  );
  return rows[0] ?? null;
}
