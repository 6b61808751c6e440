import type { Db } from "../../store.ts";

export type PoolUser = { dagId: string; taskId: string };

/**
 * $1 pool, $2 limit: tasks of current DAG versions that name the pool, and unfinished instances in it, which may be of older
 * versions. Which DAGs name it is in dag_pool, so only their serialized forms are read; of the instances each branch reads a
 * partial index: ended instances are never read.
 */
const statement = {
  name: "pool-users",
  text: `
select u.dag_id as "dagId", u.task_id as "taskId" from (
  (select p.dag_id, t ->> 'taskId' as task_id
     from dag_pool p join dag d on d.dag_id = p.dag_id join serialized_dag s on s.dag_version_id = d.current_version_id,
          json_array_elements(s.data -> 'tasks') t
    where p.pool = $1 and not d.is_stale and coalesce(t ->> 'pool', 'default_pool') = $1 limit $2)
  union
  (select dag_id, task_id from task_instance where pool = $1 and state in ('queued', 'running', 'restarting') limit $2)
  union
  (select dag_id, task_id from task_instance where pool = $1 and state = 'scheduled' limit $2)
  union
  (select dag_id, task_id from task_instance where pool = $1 and state = 'deferred' limit $2)
  union
  (select dag_id, task_id from task_instance where pool = $1 and state in ('up_for_retry', 'up_for_reschedule') limit $2)
  union
  (select ti.dag_id, ti.task_id from dag_run r join task_instance ti on ti.dag_run_id = r.id
    where ti.pool = $1 and ti.state is null and r.state in ('queued', 'running') limit $2)
) u order by 1, 2 limit $2`,
};

/** Who needs the pool, at most `limit` of them. */
export async function poolUsers(db: Db, pool: string, limit: number): Promise<PoolUser[]> {
  return (await db.query<PoolUser>(statement, [pool, limit])).rows;
}
