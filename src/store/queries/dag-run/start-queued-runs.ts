import type { Db } from "../../store.ts";

/** $1 = DAGs at most. Locks the DAGs that have a run to start and room for it; the count is made again under the lock. */
const lockStatement = {
  name: "lock-dags-with-queued-runs",
  text: `
select d.dag_id as "dagId" from dag d
 where not d.is_paused
   and d.dag_id in (select q.dag_id from dag_run q where q.state = 'queued' and q.run_after <= now())
   and (select count(*) from dag_run r where r.dag_id = d.dag_id and r.state = 'running') < d.max_active_runs
 order by d.dag_id limit $1
 for no key update skip locked`,
};

/** $1 = ids of locked DAGs. Oldest run first, up to each DAG's maxActiveRuns. */
const startStatement = {
  name: "start-queued-runs",
  text: `
with queued as (
  select q.id, q.dag_id, row_number() over (partition by q.dag_id order by (q.run_type = 'backfill'), q.run_after, q.id) as place
    from dag_run q where q.dag_id = any($1) and q.state = 'queued' and q.run_after <= now()
)
update dag_run r
   set state = 'running', start_date = now(), end_date = null, next_scan_at = now(), updated_at = now(),
       timeout_at = now() + make_interval(secs => r.timeout_sec)
  from queued q join dag d on d.dag_id = q.dag_id
 where r.id = q.id and r.state = 'queued'
   and q.place <= d.max_active_runs - (select count(*) from dag_run x where x.dag_id = q.dag_id and x.state = 'running')
returning r.id`,
};

/** Moves queued runs whose time has come to running, and returns how many. Call inside a transaction. */
export async function startQueuedRuns(tx: Db, dagLimit: number): Promise<number> {
  const { rows } = await tx.query<{ dagId: string }>(lockStatement, [dagLimit]);
  if (rows.length === 0) return 0;
  return (await tx.query(startStatement, [rows.map((row) => row.dagId)])).rowCount;
}
