import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { archiveFrom, CLEARED } from "./columns.ts";
import { forgetResults } from "./forget-results.ts";

export type ClearedInstance = { taskId: string; mapIndex: number; previousState: TaskInstanceState | null };

const ARCHIVED = {
  state: "case when h.state in ('queued', 'running', 'restarting', 'deferred') then 'failed' else h.state end",
  reason: "'cleared'",
  end_date: "coalesce(h.end_date, now())",
  duration: "h.duration",
  // A try that had ended was not stopped by the clear.
  stop_reason:
    "case when h.state in ('success', 'failed', 'skipped', 'upstream_failed', 'removed') then h.stop_reason else $6::text end",
};

/**
 * $1 dag run, $2 task ids (null = all), $3 only these states (null = any), $4..$5 task ids and map indexes: of these tasks only
 * these indexes, $6 why. Resets the state to null under a new id, and allows all retries again after the tries used; the ended try
 * goes to the history. A try that still runs is fenced off by the new id and stops at its next heartbeat. The note belongs to the
 * instance and stays.
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
  ${archiveFrom("old", ARCHIVED)}
   where h.try_number > 0 and h.state is not null and h.state not in ('scheduled', 'up_for_retry')
), cleared as (
  update task_instance ti
     set ${CLEARED}
    from old where ti.dag_run_id = old.dag_run_id and ti.task_id = old.task_id and ti.map_index = old.map_index
  returning ti.task_id, ti.map_index
)
select c.task_id as "taskId", c.map_index as "mapIndex", o.state as "previousState"
  from cleared c join old o on o.task_id = c.task_id and o.map_index = c.map_index order by c.task_id, c.map_index`,
};

/** For a task named here, only the named instances are cleared. */
export type NamedIndex = { taskId: string; mapIndex: number };

/**
 * Call under the run's lock, and restart the run after. XComs, their length and rendered fields are deleted now, not when the
 * instance runs again: it may never run again (`upstream_failed`), and reads do not name a try. They are deleted by a separate
 * statement: a try may have ended while the first one waited for its lock, and only a later statement sees what it pushed.
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
 * Makes schedulers evaluate the whole run again; `requeue` = set it to queued. A completed backfill starts no runs, so a run of one
 * is detached from it.
 */
export async function restartRun(tx: Db, dagRunId: number, requeue: boolean): Promise<void> {
  await tx.query(restart, [dagRunId, requeue]);
}
