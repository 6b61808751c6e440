import type { DagRunState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { ASIDE_RUNS } from "../set-aside/scope.ts";

export type LifelessRun = {
  id: number;
  dagId: string;
  runId: string;
  state: DagRunState;
  versionId: string | null;
  evaluation: number;
  logicalDate: Date | null;
  clearNumber: number;
  endsAs: "success" | "failed" | null;
  note: string | null;
  /** How often it was revived since one of its task instances last changed. */
  attempts: number;
  /** A retry or a rescheduled poke has a time at which it is due. */
  hasDue: boolean;
  /** A retry or poke has no due time, and would wait for ever. */
  hasLost: boolean;
};

/**
 * $1 seconds, $2 runs at most, $3 the id they come after. Running runs with no task in progress, no event in the outbox, and no
 * task instance that changed for $1 seconds; a run that is set aside is left out, since its events are not read. Each run is found
 * again only after the same time. Locked, so that only one of several schedulers takes it.
 */
const lifeless = {
  name: "lock-lifeless-runs",
  text: `
select r.id, r.dag_id as "dagId", r.run_id as "runId", r.state, r.created_dag_version_id as "versionId", r.evaluation,
       r.logical_date as "logicalDate", r.clear_number as "clearNumber", r.ends_as as "endsAs", r.note,
       case when t.moved_at > r.lazarus_at then 0 else r.lazarus_attempts end as attempts,
       coalesce(t.has_due, false) as "hasDue", coalesce(t.has_lost, false) as "hasLost"
  from dag_run r
  cross join lateral (
    select max(ti.updated_at) as moved_at,
           bool_or(ti.state in ('scheduled', 'queued', 'running', 'restarting', 'deferred')) as in_flight,
           bool_or(ti.state in ('up_for_retry', 'up_for_reschedule') and ti.next_attempt_at is not null) as has_due,
           bool_or(ti.state in ('up_for_retry', 'up_for_reschedule') and ti.next_attempt_at is null) as has_lost
      from task_instance ti where ti.dag_run_id = r.id
  ) t
 where r.state = 'running'
   and greatest(r.start_date, t.moved_at) < now() - make_interval(secs => $1)
   and (r.lazarus_at is null or r.lazarus_at < now() - make_interval(secs => $1))
   and not coalesce(t.in_flight, false)
   and (not exists (select 1 from task_event e where e.dag_run_id = r.id) or r.id = any(${ASIDE_RUNS}))
   and r.id > $3
 order by r.id limit $2
 for no key update of r skip locked`,
};

/** Call inside a transaction. */
export async function lockLifelessRuns(tx: Db, sec: number, limit: number, after: number): Promise<LifelessRun[]> {
  return (await tx.query<LifelessRun>(lifeless, [sec, limit, after])).rows;
}

/** $1 dag run, $2 attempts made with this one. Retries and pokes without a due time become due now. */
const revive = {
  name: "revive-run",
  text: `
with run as (
  update dag_run set evaluation = evaluation + 1, next_scan_at = now(), lazarus_attempts = $2, lazarus_at = now(), updated_at = now()
   where id = $1 returning id
), due as (
  update task_instance set next_attempt_at = now()
   where dag_run_id = $1 and state in ('up_for_retry', 'up_for_reschedule') and next_attempt_at is null
), event as (insert into task_event (dag_run_id) select id from run),
told as materialized (select pg_notify('baram_scheduler', 'run') from run)
select count(*) from told`,
};

/** Has the run evaluated anew from the database. Call under its lock. */
export async function reviveRun(tx: Db, dagRunId: number, attempts: number): Promise<void> {
  await tx.query(revive, [dagRunId, attempts]);
}
