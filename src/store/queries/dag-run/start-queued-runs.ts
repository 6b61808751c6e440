import { type Db, guardedStatement } from "../../store.ts";
import { ASIDE_RUNS, type Only } from "../set-aside/scope.ts";

/**
 * $1 = DAGs at most. Locks the DAGs that have a run to start and room for it; runs are counted again under the lock. A backfill's
 * runs have their own limit and do not count towards the DAG's, as in Airflow. If there are more than $1, DAGs with runs outside of
 * backfills come first.
 */
const lockStatement = guardedStatement("lock-dags-with-queued-runs", (isInTransaction) => lock(isInTransaction, isNotAside));
/** $2 = the runs that may start. */
const lockAmong = guardedStatement("lock-dags-with-queued-runs-among", (isInTransaction) =>
  lock(isInTransaction, (run) => `${isNotAside(run)} and ${run} = any($2::bigint[])`),
);

function isNotAside(run: string): string {
  return `${run} <> all(${ASIDE_RUNS})`;
}

function lock(isInTransaction: string, isMeant: (run: string) => string): string {
  return `
with startable as materialized (
  select d.dag_id, 0 as place from dag d
   where d.dag_id in (select q.dag_id from dag_run q where q.state = 'queued' and q.backfill_id is null and q.run_after <= now() and ${isMeant("q.id")})
     and (select count(*) from dag_run r where r.dag_id = d.dag_id and r.state = 'running' and r.backfill_id is null) < d.max_active_runs
  union all
  select b.dag_id, 1 from backfill b
   where b.completed_at is null and not b.is_paused
     and exists (select 1 from dag_run q where q.backfill_id = b.id and q.state = 'queued' and ${isMeant("q.id")})
     and (select count(*) from dag_run r where r.backfill_id = b.id and r.state = 'running') < b.max_active_runs
), first as materialized (select dag_id, min(place) as place from startable group by dag_id)
select d.dag_id as "dagId" from dag d join first on first.dag_id = d.dag_id
 where not d.is_paused and ${isInTransaction}
 order by first.place, d.dag_id limit $1
 for no key update of d skip locked`;
}

/**
 * $1 = ids of locked DAGs. Oldest run first, up to each DAG's maxActiveRuns; a backfill's in its own order, up to its own
 * max_active_runs. The inner select of $1 makes the array's length opaque, so that the generic plan is kept: else
 * an array of one is planned anew each time, which took longer than the run.
 */
const startStatement = { name: "start-queued-runs", text: start(isNotAside) };
/** $2 = the runs that may start. */
const startAmong = {
  name: "start-queued-runs-among",
  text: start((run) => `${isNotAside(run)} and ${run} = any($2::bigint[])`),
};

function start(isMeant: (run: string) => string): string {
  return `
with queued as (
  select q.id, q.dag_id, row_number() over (partition by q.dag_id order by q.run_after, q.id) as place
    from dag_run q where q.dag_id = any((select $1::text[])::text[]) and q.state = 'queued' and q.backfill_id is null and q.run_after <= now()
     and ${isMeant("q.id")}
), starting as (
  select q.id from queued q join dag d on d.dag_id = q.dag_id
   where q.place <= d.max_active_runs
                    - (select count(*) from dag_run x where x.dag_id = q.dag_id and x.state = 'running' and x.backfill_id is null)
  union all
  select q.id from backfill b
    cross join lateral (
      select r.id from dag_run r where r.backfill_id = b.id and r.state = 'queued' and ${isMeant("r.id")} order by r.backfill_ordinal
       limit greatest(b.max_active_runs - (select count(*) from dag_run x where x.backfill_id = b.id and x.state = 'running'), 0)
    ) q
   where b.dag_id = any((select $1::text[])::text[]) and b.completed_at is null and not b.is_paused
)
update dag_run r
   set state = 'running', start_date = coalesce(r.start_date, now()), end_date = null, next_scan_at = now(), updated_at = now(),
       timeout_at = now() + make_interval(secs => r.timeout_sec)
  from starting s
 where r.id = s.id and r.state = 'queued'
returning r.dag_id as "dagId", r.run_id as "runId",
  case when r.run_type = 'scheduled' and r.clear_number = 0 and r.start_date = now() then extract(epoch from now() - r.run_after)::float8 end as "delaySec"`;
}

/** `delaySec`: how late a scheduled run starts; null for others, and for one that was cleared or had begun before. */
export type StartedRun = { dagId: string; runId: string; delaySec: number | null };

/**
 * Moves queued runs whose time has come to running. Call inside a transaction; it locks the DAGs first, and the answer to the rest need not
 * be awaited before the next statement. `dags`: how many had runs to start.
 */
export async function startQueuedRuns(
  tx: Db,
  dagLimit: number,
  only: Only = null,
): Promise<{ started: Promise<StartedRun[]>; dags: number }> {
  const scope = only === null ? [] : [only];
  const { rows } = await tx.query<{ dagId: string }>(only === null ? lockStatement : lockAmong, [dagLimit, ...scope]);
  const started =
    rows.length === 0
      ? Promise.resolve([])
      : tx
          .query<StartedRun>(only === null ? startStatement : startAmong, [rows.map((row) => row.dagId), ...scope])
          .then((answer) => answer.rows);
  // If another statement of the transaction fails first, nothing awaits this one.
  started.catch(() => {});
  return { started, dags: rows.length };
}
