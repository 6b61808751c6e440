import type { DagRunState, TaskInstanceState } from "../../../contracts/index.ts";
import { type Db, guardedStatement } from "../../store.ts";
import { ASIDE_RUNS, type Only } from "../set-aside/scope.ts";

export type ClaimedEvent = { taskId: string | null; mapIndex: number; state: TaskInstanceState | null };
export type ClaimedRun = {
  id: number;
  dagId: string;
  runId: string;
  state: DagRunState;
  versionId: string | null;
  evaluation: number;
  logicalDate: Date | null;
  backfillId: number | null;
  isTimedOut: boolean;
  /** Its dagrunTimeout; null = none. */
  timeoutSec: number | null;
  /** Read only where it is timed out. */
  note: string | null;
  /** Above zero: decisions that branches made before a clear may still apply. */
  clearNumber: number;
  /** Set where the run was ended by hand while teardowns were still to run. */
  endsAs: "success" | "failed" | null;
  events: ClaimedEvent[] | null;
  due: ClaimedEvent[] | null;
};

/**
 * $1 = runs to claim at most.
 *
 * Finds the runs that have something to decide (an event, a due retry, a due scan), locks them, and deletes their events from the
 * outbox, in one statement. SKIP LOCKED lets several schedulers share the work; an event that commits after the statement's
 * snapshot waits for the next pass. The first CTE reads more runs than are claimed, so that for each DAG the run evaluated longest
 * ago comes first even if its events are not the oldest. DAGs take turns: a DAG that catches up on hundreds of runs delays another
 * by one place only. NO KEY: the outbox's foreign key takes a KEY SHARE lock on the run, and finishing a try must not wait for the
 * scheduler's commit. It is the first statement of most of a scheduler's transactions, pipelined with `begin`.
 */
const statement = guardedStatement("claim-runs", (isInTransaction) =>
  claim(isInTransaction, (run) => `${run} <> all(${ASIDE_RUNS})`),
);

/** $2 = the runs it may claim, $3 = whether those that run are claimed although nothing happened in them. */
const among = guardedStatement("claim-runs-among", (isInTransaction) =>
  claim(
    isInTransaction,
    (run) => `${run} <> all(${ASIDE_RUNS}) and ${run} = any($2::bigint[])`,
    "union (select id from dag_run where id = any($2::bigint[]) and state = 'running' and $3)",
  ),
);

function claim(isInTransaction: string, isMeant: (run: string) => string, more = ""): string {
  return `
with wanted as materialized (
  (select distinct dag_run_id as id from task_event where ${isMeant("dag_run_id")} limit $1 * 10)
  union
  (select distinct t.dag_run_id from task_instance t join dag_run r on r.id = t.dag_run_id
    where t.state in ('up_for_retry', 'up_for_reschedule') and t.next_attempt_at <= now() and r.state = 'running' and ${isMeant("r.id")} limit $1 * 10)
  union
  (select id from dag_run where state = 'running' and next_scan_at <= now() and ${isMeant("id")} order by next_scan_at limit $1 * 10)
  ${more}
), turns as materialized (
  select r.id, r.last_scheduling_decision,
         row_number() over (partition by r.dag_id order by r.last_scheduling_decision nulls first, r.id) as turn
    from dag_run r
   where r.id in (select id from wanted)
), locked as materialized (
  select r.id, r.dag_id, r.run_id, r.state, r.created_dag_version_id, r.evaluation, r.logical_date, r.backfill_id, r.timeout_at, r.timeout_sec, r.note, r.clear_number, r.ends_as
    from turns t join dag_run r on r.id = t.id
   where ${isInTransaction}
   order by t.turn, t.last_scheduling_decision nulls first, r.id
   limit $1
   for no key update of r skip locked
), events as (
  delete from task_event e using locked l where e.dag_run_id = l.id
  returning e.id, e.dag_run_id, e.task_id, e.map_index, e.state
)
select l.id, l.dag_id as "dagId", l.run_id as "runId", l.state, l.created_dag_version_id as "versionId", l.evaluation,
       l.logical_date as "logicalDate", l.backfill_id as "backfillId", coalesce(l.timeout_at <= now(), false) as "isTimedOut", l.timeout_sec as "timeoutSec",
       case when l.timeout_at <= now() then l.note end as note,
       l.clear_number as "clearNumber", l.ends_as as "endsAs",
       (select json_agg(json_build_object('taskId', e.task_id, 'mapIndex', e.map_index, 'state', e.state) order by e.id)
          from events e where e.dag_run_id = l.id) as events,
       (select json_agg(json_build_object('taskId', t.task_id, 'mapIndex', t.map_index, 'state', t.state))
          from task_instance t
         where t.dag_run_id = l.id and t.state in ('up_for_retry', 'up_for_reschedule') and t.next_attempt_at <= now()) as due
  from locked l`;
}

/** In a transaction only: without one it claims nothing. `evenIdle`: of `only`, also those in which nothing happened. */
export async function claimRuns(tx: Db, limit: number, only: Only = null, evenIdle = false): Promise<ClaimedRun[]> {
  if (only !== null) return (await tx.query<ClaimedRun>(among, [limit, only, evenIdle])).rows;
  return (await tx.query<ClaimedRun>(statement, [limit])).rows;
}
