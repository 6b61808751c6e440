import type { Db } from "../../store.ts";

/**
 * $1 the run that waits, $2 whether its DAG catches up: then runs by hand are none of its past.
 *
 * The earliest queued run before it, within the same limit (the DAG's, or one backfill's), takes its place, and the run goes back
 * into the queue. One statement, so the number of running runs is the same for whoever counts; in it, the one stops before the
 * other starts. A queued run that is locked by another transaction is left to the next evaluation. `evaluation` is incremented, so
 * that no scheduler uses its picture of the run. The start date stays, so that the run is not measured as late a second time; its
 * timeout counts from when it is started again.
 */
const statement = {
  name: "give-place",
  text: `
with waiting as materialized (
  select r.id, r.dag_id, r.backfill_id, r.logical_date,
         case when r.backfill_id is null then d.max_active_runs
              else (select b.max_active_runs from backfill b where b.id = r.backfill_id and b.completed_at is null and not b.is_paused) end as places
    from dag_run r join dag d on d.dag_id = r.dag_id
   where r.id = $1 and r.state = 'running' and not d.is_paused
), earliest as materialized (
  select q.id from waiting w join dag_run q on q.dag_id = w.dag_id and q.backfill_id is not distinct from w.backfill_id
   where q.state = 'queued' and q.logical_date < w.logical_date and q.run_after <= now() and (not $2 or q.run_type <> 'manual')
     and (select count(*) from dag_run x where x.dag_id = w.dag_id and x.state = 'running' and x.backfill_id is not distinct from w.backfill_id) >= w.places
   order by q.logical_date limit 1
   for no key update of q skip locked
), stopped as (
  update dag_run r
     set state = 'queued', queued_at = now(), next_scan_at = null, timeout_at = null, evaluation = r.evaluation + 1, updated_at = now()
    from earliest where r.id = $1
  returning r.id
), started as (
  update dag_run r
     set state = 'running', start_date = coalesce(r.start_date, now()), end_date = null, next_scan_at = now(), updated_at = now(),
         timeout_at = now() + make_interval(secs => r.timeout_sec)
    from earliest e, stopped where r.id = e.id
  returning r.run_id
), told as materialized (select pg_notify('baram_scheduler', 'run') from started)
select s.run_id as "runId", (select count(*) from told) as told from started s`,
};

/**
 * Call under the run's lock, for a run that waits for its past and has no task in progress. Returns the id of the run that goes
 * first; null = none.
 */
export async function givePlace(tx: Db, dagRunId: number, catchup: boolean): Promise<string | null> {
  const { rows } = await tx.query<{ runId: string }>(statement, [dagRunId, catchup]);
  return rows[0]?.runId ?? null;
}
