import type { JsonValue, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type TryEnd = {
  id: string;
  state: Extract<TaskInstanceState, "success" | "failed" | "skipped" | "up_for_retry" | "up_for_reschedule">;
  /** Seconds from now until the next attempt is due (retry, reschedule). */
  nextAttemptInSec: number | null;
  reason: string | null;
  xcoms: readonly { key: string; value: JsonValue }[];
  renderedFields: JsonValue | null;
};

export type EndedTry = {
  id: string;
  dagRunId: number;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  state: TryEnd["state"];
  operator: string;
  startDate: Date | null;
  endDate: Date;
};

/**
 * $1 ids, $2 states, $3 seconds to the next attempt, $4 reasons, $5..$7 XComs (try id, key, value), $8..$9 rendered fields,
 * $10 states that may be left, $11 seconds without a heartbeat (null = do not ask).
 *
 * The one place where a try ends. State, XComs, history and the outbox line are one statement, so all of it stands or
 * nothing does, and a whole batch costs one round trip. Rows are locked in id order: two batches cannot deadlock. A retry
 * and a rescheduled poke get a new id at once, which is what makes every later write of the old try fail.
 */
const statement = {
  name: "finish-tries",
  text: `
with held as materialized (
  select ti.*, i.end_state, i.delay_sec, i.reason
    from task_instance ti
    join unnest($1::uuid[], $2::text[], $3::float8[], $4::text[]) as i(try_id, end_state, delay_sec, reason) on i.try_id = ti.id
   where ti.state = any($10::text[])
     and ($11::float8 is null or coalesce(ti.last_heartbeat_at, ti.queued_dttm) < now() - make_interval(secs => $11))
   order by ti.id
   for update of ti
), archived as (
  insert into task_instance_history (id, dag_run_id, dag_id, run_id, task_id, map_index, try_number, max_tries, state, reason, operator, pool,
      pool_slots, queue, executor, priority_weight, dag_version_id, scheduled_dttm, queued_dttm, start_date, end_date, duration, hostname, unixname, pid)
  select h.id, h.dag_run_id, h.dag_id, h.run_id, h.task_id, h.map_index, h.try_number, h.max_tries, 'failed', h.reason, h.operator, h.pool,
      h.pool_slots, h.queue, h.executor, h.priority_weight, h.dag_version_id, h.scheduled_dttm, h.queued_dttm, h.start_date, now(),
      extract(epoch from now() - h.start_date), h.hostname, h.unixname, h.pid
    from held h where h.end_state = 'up_for_retry'
), ended as (
  update task_instance ti
     set state = h.end_state, end_date = now(), updated_at = now(),
         duration = extract(epoch from now() - coalesce(h.first_start_date, h.start_date)),
         id = case when h.end_state in ('up_for_retry', 'up_for_reschedule') then gen_random_uuid() else ti.id end,
         next_attempt_at = now() + make_interval(secs => h.delay_sec),
         reschedule_count = case when h.end_state = 'up_for_reschedule' then ti.reschedule_count + 1 else 0 end
    from held h
   where ti.dag_run_id = h.dag_run_id and ti.task_id = h.task_id and ti.map_index = h.map_index
  returning h.id as id, ti.dag_run_id, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.operator, ti.start_date, ti.end_date
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state)
  select dag_run_id, task_id, map_index, state from ended
), stored as (
  insert into xcom (dag_run_id, task_id, map_index, key, value)
  select e.dag_run_id, e.task_id, e.map_index, x.key, x.value
    from unnest($5::uuid[], $6::text[], $7::json[]) as x(try_id, key, value) join ended e on e.id = x.try_id
  on conflict (dag_run_id, task_id, map_index, key) do update set value = excluded.value, "timestamp" = now()
), rendered as (
  insert into rendered_task_instance_fields (dag_run_id, task_id, map_index, fields)
  select e.dag_run_id, e.task_id, e.map_index, f.fields
    from unnest($8::uuid[], $9::json[]) as f(try_id, fields) join ended e on e.id = f.try_id
  on conflict (dag_run_id, task_id, map_index) do update set fields = excluded.fields
), told as materialized (
  select pg_notify('baram_scheduler', 'event') from (select 1 from ended limit 1) one
)
select id, dag_run_id as "dagRunId", dag_id as "dagId", run_id as "runId", task_id as "taskId", map_index as "mapIndex",
       try_number as "tryNumber", state, operator, start_date as "startDate", end_date as "endDate", (select count(*) from told) as told
  from ended`,
};

export type FinishGuard = { leaving: readonly TaskInstanceState[]; silentForSec: number | null };

/** Ends tries; the ones left out of the answer were no longer theirs to end (stale id, other state). */
export async function finishTries(
  db: Db,
  ends: readonly TryEnd[],
  guard: FinishGuard = { leaving: ["running"], silentForSec: null },
): Promise<EndedTry[]> {
  const xcoms = ends.flatMap((end) => end.xcoms.map((xcom) => ({ id: end.id, ...xcom })));
  const rendered = ends.filter((end) => end.renderedFields !== null);
  const { rows } = await db.query<EndedTry>(statement, [
    ends.map((e) => e.id),
    ends.map((e) => e.state),
    ends.map((e) => e.nextAttemptInSec),
    ends.map((e) => e.reason),
    xcoms.map((x) => x.id),
    xcoms.map((x) => x.key),
    xcoms.map((x) => JSON.stringify(x.value)),
    rendered.map((r) => r.id),
    rendered.map((r) => JSON.stringify(r.renderedFields)),
    guard.leaving,
    guard.silentForSec,
  ]);
  return rows;
}
