import type { Db } from "../../store.ts";
import { ASIDE_RUNS, ASIDE_SCHEDULES } from "../set-aside/scope.ts";

export type DueDag = {
  dagId: string;
  versionId: string;
  nextDagrun: Date;
  dataIntervalStart: Date;
  dataIntervalEnd: Date;
  createAfter: Date;
  /** By the database's clock, so that all schedulers agree on what is due. */
  now: Date;
};

/** A run that waits for its own future date does not count towards maxActiveRuns until that date. */
const unfinished = `(select count(*) from dag_run r where r.dag_id = d.dag_id and r.backfill_id is null
         and (r.state = 'running' or r.state = 'queued' and r.run_after <= now()))`;

/** $1 = DAGs at most, $2 = ids of DAGs to leave out. */
const due = (order: "asc" | "desc") => ({ name: `lock-due-dags-${order}`, text: dueText("d.dag_id <> all($2)", order) });
/** $1 = 1, $2 = the DAG. */
const dueOne = { name: "lock-due-dag", text: dueText("d.dag_id = $2", "asc") };

function dueText(isMeant: string, order: "asc" | "desc"): string {
  return `
select d.dag_id as "dagId", d.current_version_id as "versionId", d.next_dagrun as "nextDagrun",
       d.next_dagrun_data_interval_start as "dataIntervalStart", d.next_dagrun_data_interval_end as "dataIntervalEnd",
       d.next_dagrun_create_after as "createAfter", now() as now
  from dag d
 where not d.is_paused and not d.is_stale and d.current_version_id is not null and d.next_dagrun_create_after <= now()
   and ${isMeant} and d.dag_id <> all(${ASIDE_SCHEDULES}) and ${unfinished} < d.max_active_runs
 order by d.next_dagrun_create_after ${order}, d.dag_id
 limit $1
 for no key update of d skip locked`;
}

/** $1 = ids of locked DAGs. A separate statement, since the one that took the locks has an older snapshot. */
const room = {
  name: "dags-with-room",
  text: `select d.dag_id as "dagId" from dag d where d.dag_id = any($1) and ${unfinished} < d.max_active_runs`,
};

/**
 * Locks DAGs whose next run is due, so that one scheduler creates it: half of `limit` for the DAGs that are furthest behind, half
 * for those that became due last, so that long catch-ups do not delay other DAGs. A DAG with maxActiveRuns unfinished runs gets no
 * further one yet, so a catch-up does not pile up thousands of queued runs.
 */
export async function lockDueDags(tx: Db, limit: number): Promise<DueDag[]> {
  const half = Math.ceil(limit / 2);
  const behind = (await tx.query<DueDag>(due("asc"), [half, []])).rows;
  if (behind.length === 0) return [];
  const ids = behind.map((dag) => dag.dagId);
  const fresh = behind.length < half ? [] : (await tx.query<DueDag>(due("desc"), [limit - half, ids])).rows;
  const locked = [...behind, ...fresh];
  const withRoom = (await tx.query<{ dagId: string }>(room, [locked.map((dag) => dag.dagId)])).rows;
  const hasRoom = new Set(withRoom.map((row) => row.dagId));
  return locked.filter((dag) => hasRoom.has(dag.dagId));
}

/** The DAG, if it has a run to be created now; locked as by `lockDueDags`. */
export async function lockDueDag(tx: Db, dagId: string): Promise<DueDag[]> {
  const locked = (await tx.query<DueDag>(dueOne, [1, dagId])).rows;
  if (locked.length === 0) return [];
  return (await tx.query(room, [[dagId]])).rowCount > 0 ? locked : [];
}

export type NextRun = { logicalDate: Date; dataIntervalStart: Date; dataIntervalEnd: Date; runAfter: Date };

const advance = {
  name: "advance-dag",
  text: `update dag set next_dagrun = $2, next_dagrun_data_interval_start = $3, next_dagrun_data_interval_end = $4, next_dagrun_create_after = $5 where dag_id = $1`,
};

/** Sets when the DAG's next run is due; null = never. */
export async function setNextRun(db: Db, dagId: string, next: NextRun | null): Promise<void> {
  await db.query(advance, [
    dagId,
    next?.logicalDate ?? null,
    next?.dataIntervalStart ?? null,
    next?.dataIntervalEnd ?? null,
    next?.runAfter ?? null,
  ]);
}

/** The earliest moment, in seconds from now by the database's clock, at which a schedule, retry, scan or queued run is due. */
const nextDue = {
  name: "next-due",
  text: `
select extract(epoch from least(
  (select min(next_dagrun_create_after) from dag where not is_paused and not is_stale and next_dagrun_create_after is not null and next_dagrun_create_after > now()),
  (select min(t.next_attempt_at) from task_instance t join dag_run r on r.id = t.dag_run_id
    where t.state in ('up_for_retry', 'up_for_reschedule') and r.state = 'running' and r.id <> all(${ASIDE_RUNS})),
  (select min(next_scan_at) from dag_run where state = 'running' and id <> all(${ASIDE_RUNS})),
  (select min(run_after) from dag_run where state = 'queued' and backfill_id is null and run_after > now())) - now())::float8 as "dueInSec"`,
};

export async function nextDueInSec(db: Db): Promise<number | null> {
  return (await db.query<{ dueInSec: number | null }>(nextDue)).rows[0]?.dueInSec ?? null;
}
