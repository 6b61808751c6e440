import type { Db } from "../../store.ts";

export type PastNeed = { taskId: string; waitForDownstream: boolean; downstream: readonly string[]; ignoreFirst: boolean };

/**
 * $1 dag run, $2 task ids, $3 whether the DAG catches up: then runs by hand are none of its past. The same tasks in the DAG's
 * previous run by logical date; a run without a logical date has no previous one. No row = no previous run.
 */
const previous = {
  name: "previous-run-states",
  text: `
with this as (select dag_id, logical_date from dag_run where id = $1),
previous as (
  select p.id from dag_run p join this on p.dag_id = this.dag_id
   where p.logical_date < this.logical_date and (not $3 or p.run_type <> 'manual') order by p.logical_date desc limit 1
)
select wanted.task_id as "taskId", own.passed,
       case when own.passed is null then
         exists (select 1 from this join dag_run r on r.dag_id = this.dag_id and r.logical_date < this.logical_date
                   join task_instance ti on ti.dag_run_id = r.id and ti.task_id = wanted.task_id)
       else true end as "hasPast"
  from previous cross join unnest($2::text[]) as wanted(task_id)
  cross join lateral (
    select bool_and(coalesce(ti.state, 'none') in ('success', 'skipped')) filter (where ti.state is distinct from 'removed') as passed
      from task_instance ti
     where ti.dag_run_id = previous.id and ti.task_id = wanted.task_id
  ) own`,
};

/**
 * Task ids that must still wait for the previous run (dependsOnPast, waitForDownstream), by Airflow's `PrevDagrunDep`: without a
 * previous run nothing waits; a task that the previous run lacks waits, unless it has never run and ignoreFirstDependsOnPast is
 * set; direct downstream tasks that the previous run lacks are ignored.
 */
export async function heldByPast(tx: Db, dagRunId: number, needs: readonly PastNeed[], catchup: boolean): Promise<Set<string>> {
  const names = [...new Set(needs.flatMap((need) => [need.taskId, ...(need.waitForDownstream ? need.downstream : [])]))];
  const { rows } = await tx.query<{ taskId: string; passed: boolean | null; hasPast: boolean }>(previous, [
    dagRunId,
    names,
    catchup,
  ]);
  if (rows.length === 0) return new Set();
  const past = new Map(rows.map((row) => [row.taskId, row]));
  const isHeld = ({ taskId, ignoreFirst, waitForDownstream, downstream }: PastNeed) => {
    const own = past.get(taskId);
    if (own?.passed === null) return own.hasPast || !ignoreFirst;
    return own?.passed === false || (waitForDownstream && downstream.some((id) => past.get(id)?.passed === false));
  };
  return new Set(needs.filter(isHeld).map((need) => need.taskId));
}

const wake = {
  name: "wake-later-runs",
  text: `
with later as (
  select id from dag_run where dag_id = $1 and logical_date > $2 and state = 'running' order by logical_date limit 1
), woken as (
  insert into task_event (dag_run_id) select id from later
   where not exists (select 1 from task_event e where e.dag_run_id = later.id and e.task_id is null)
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'event') from woken)
select count(*) from told`,
};

/** Has the DAG's next run evaluated again: what it waited for may have happened. */
export async function wakeLaterRuns(tx: Db, dagId: string, logicalDate: Date): Promise<void> {
  await tx.query(wake, [dagId, logicalDate]);
}

const skip = {
  name: "skip-unfinished",
  text: `
with held as materialized (
  select id, state from task_instance
   where dag_run_id = $1 and (state is null or state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed'))
   order by id
   for no key update
)
update task_instance ti set state = 'skipped', end_date = now(), next_attempt_at = null, stop_reason = $2::text, updated_at = now()
  from held where ti.id = held.id
returning ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex", ti.try_number as "tryNumber",
          coalesce(held.state in ('running', 'restarting', 'deferred', 'up_for_retry', 'up_for_reschedule'), false) as "hasBegun"`,
};

/** `hasBegun`: its current try has a log. */
export type SkippedInstance = {
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  hasBegun: boolean;
};

/** Skips a run's unfinished instances; a try that still runs is refused at its next heartbeat and stops. `why`: their `stop_reason`. */
export async function skipUnfinished(tx: Db, dagRunId: number, why: string): Promise<SkippedInstance[]> {
  return (await tx.query<SkippedInstance>(skip, [dagRunId, why])).rows;
}
