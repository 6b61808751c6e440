import type { Db } from "../../store.ts";

/** $1 pool, $2 limit: tasks of current DAG versions that name the pool, and unfinished instances of older ones. */
const statement = `
select d.dag_id as "dagId", t ->> 'taskId' as "taskId"
  from dag d join serialized_dag s on s.dag_version_id = d.current_version_id, json_array_elements(s.data -> 'tasks') t
 where not d.is_stale and t ->> 'pool' = $1
union
select ti.dag_id, ti.task_id
  from dag_run r join task_instance ti on ti.dag_run_id = r.id
 where r.state in ('queued', 'running') and ti.pool = $1
   and (ti.state is null or ti.state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed'))
 order by 1, 2 limit $2`;

/** Who needs the pool. Reads every current DAG, so this is for a person's command, not for a loop. */
export async function poolUsers(db: Db, pool: string, limit: number): Promise<{ dagId: string; taskId: string }[]> {
  return (await db.query<{ dagId: string; taskId: string }>(statement, [pool, limit])).rows;
}
