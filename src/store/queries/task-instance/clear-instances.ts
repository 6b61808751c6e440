import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { forgetResults } from "./forget-results.ts";

export type ClearedInstance = { taskId: string; mapIndex: number; previousState: TaskInstanceState | null };

/**
 * $1 dag run, $2 task ids (null = all), $3 only these states (null = any), $4..$5 task ids and map indexes: of these tasks
 * only these indexes, $6 why. Back to no state under a new id, with the
 * retries of a fresh start on top of the tries used; the ended try goes to the history. What still runs is fenced off by
 * the new id and stops at its next heartbeat. Its note is about the instance and stays.
 */
const statement = {
  name: "clear-instances",
  text: `
with old as materialized (
  select * from task_instance
   where dag_run_id = $1 and ($2::text[] is null or task_id = any($2)) and ($3::text[] is null or state = any($3))
     and (task_id <> all($4::text[]) or (task_id, map_index) in (select * from unnest($4::text[], $5::int[])))
   order by id for update
), archived as (
  insert into task_instance_history (id, dag_run_id, dag_id, run_id, task_id, map_index, try_number, max_tries, state, reason, operator, pool,
      pool_slots, queue, executor, priority_weight, dag_version_id, scheduled_dttm, queued_dttm, start_date, end_date, duration, hostname, unixname, pid, stop_reason)
  select id, dag_run_id, dag_id, run_id, task_id, map_index, try_number, max_tries,
      case when state in ('queued', 'running', 'restarting', 'deferred') then 'failed' else state end, 'cleared', operator, pool,
      pool_slots, queue, executor, priority_weight, dag_version_id, scheduled_dttm, queued_dttm, start_date, coalesce(end_date, now()), duration, hostname, unixname, pid,
      case when state in ('success', 'failed', 'skipped', 'upstream_failed', 'removed') then stop_reason else $6::text end
    from old where try_number > 0 and state is not null and state not in ('scheduled', 'up_for_retry')
), cleared as (
  update task_instance ti
     set state = null, id = gen_random_uuid(),
         max_tries = ti.try_number + ti.retries,
         start_date = null, end_date = null, duration = null, next_attempt_at = null, reschedule_count = 0, first_start_date = null,
         hostname = null, unixname = null, pid = null, last_heartbeat_at = null, queue_attempts = 0, queued_by_job_id = null,
         scheduled_dttm = null, queued_dttm = null, rendered_map_index = null, stop_reason = null, updated_at = now()
    from old where ti.dag_run_id = old.dag_run_id and ti.task_id = old.task_id and ti.map_index = old.map_index
  returning ti.task_id, ti.map_index
)
select c.task_id as "taskId", c.map_index as "mapIndex", o.state as "previousState"
  from cleared c join old o on o.task_id = c.task_id and o.map_index = c.map_index order by c.task_id, c.map_index`,
};

/** Of a task that is named here, only the named instances are meant. */
export type NamedIndex = { taskId: string; mapIndex: number };

/**
 * Call under the run's lock, and restart the run after. XComs, their length and rendered fields go at once, not when it runs again: it may
 * never do so (`upstream_failed`), and whoever reads asks for no try. They go by a statement of its own: a try may have ended while the
 * first one waited for its lock, and what it pushed is visible to a later statement only.
 * `why`: the `stop_reason` of tries that had not ended.
 */
export async function clearInstances(
  tx: Db,
  dagRunId: number,
  taskIds: readonly string[] | null,
  states: readonly TaskInstanceState[] | null,
  why: string,
  only: readonly NamedIndex[] = [],
): Promise<ClearedInstance[]> {
  const named = [only.map((one) => one.taskId), only.map((one) => one.mapIndex)];
  const { rows } = await tx.query<ClearedInstance>(statement, [dagRunId, taskIds, states, ...named, why]);
  if (rows.length > 0)
    await forgetResults(
      tx,
      rows.map(({ taskId, mapIndex }) => ({ dagRunId, taskId, mapIndex })),
    );
  return rows;
}

const restart = {
  name: "restart-run",
  text: `
with run as (
  update dag_run set state = case when $2 then 'queued' else state end, end_date = case when $2 then null else end_date end,
         start_date = case when $2 then null else start_date end, queued_at = case when $2 then now() else queued_at end,
         backfill_id = case when $2 and exists (select 1 from backfill b where b.id = backfill_id and b.completed_at is not null) then null else backfill_id end,
         next_scan_at = now(), clear_number = clear_number + 1, evaluation = evaluation + 1, updated_at = now(),
          ends_as = null, lazarus_attempts = 0, lazarus_at = null
   where id = $1 returning id
), event as (insert into task_event (dag_run_id) select id from run),
told as materialized (select pg_notify('baram_scheduler', 'run') from run)
select count(*) from told`,
};

/**
 * Makes schedulers look at the whole run anew; `requeue` = put it back in the queue of its DAG's runs. A completed backfill
 * starts nothing any more, so a run of one then counts as any other.
 */
export async function restartRun(tx: Db, dagRunId: number, requeue: boolean): Promise<void> {
  await tx.query(restart, [dagRunId, requeue]);
}
