import type { JsonValue, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { archiveFrom } from "./columns.ts";

/** What a deferred try waits for and goes on with; what may hold secrets is encrypted. */
export type Deferral = {
  classpath: string;
  /** The trigger is of the DAG file's own module. */
  isUserDefined: boolean;
  kwargs: Buffer;
  timeoutSec: number | null;
  /** Counted from the try's first start, over all its deferrals. */
  executionTimeoutSec: number | null;
  nextMethod: string;
  nextKwargs: Buffer;
};

export type TryEnd = {
  id: string;
  state: Extract<TaskInstanceState, "success" | "failed" | "skipped" | "up_for_retry" | "up_for_reschedule" | "deferred">;
  /** Set for deferred, and only then. */
  deferral: Deferral | null;
  /** Seconds from now until the next attempt is due (retry, reschedule). */
  nextAttemptInSec: number | null;
  reason: string | null;
  xcoms: readonly { key: string; value: JsonValue }[];
  renderedFields: JsonValue | null;
  /** Elements of the result, where other tasks are mapped over it. */
  mapLength: number | null;
  /** The instance's label, shown instead of its map index. */
  renderedMapIndex: string | null;
};

export type FinishedTry = {
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

/** What the history keeps of a try that is followed by a retry. */
const RETRIED = {
  state: "'failed'",
  reason: "h.reason",
  end_date: "now()",
  duration: "extract(epoch from now() - h.start_date)",
};

/**
 * The only statement that finishes a try. State, XComs, map length, history and outbox line are written together or not at all,
 * and a whole batch costs one round trip. Rows are locked in id order: two batches cannot deadlock. A retry, a rescheduled poke and
 * a deferral get a new id at once, so that every later write of the old try fails.
 *
 * In two variants, the second for batches with a retry or a deferral, which need the history and triggers (ADR 0035): planning costs more
 * than running, and it costs for each CTE. Parts that a batch does not need get empty arrays.
 *
 * $1 ids, $2 states, $3 seconds to the next attempt, $4 reasons, $5 labels, $6 states that may be left, $7 seconds without a
 * heartbeat (null = do not ask), $8 map lengths, $9..$11 XComs: try ids, keys, values, $12..$13 rendered fields: try ids, fields.
 */
const plain = { name: "finish-tries", text: compose() };
/** As above; $14..$21 deferrals: try ids, classpaths, whether they are user-defined, kwargs, timeouts, execution timeouts, next methods, next kwargs. */
const goingOn = {
  name: "finish-tries-going-on",
  text: compose({
    tables: `, archived as (
  ${archiveFrom("held", RETRIED)}
   where h.end_state = 'up_for_retry'
), waits as materialized (
  select * from unnest($14::uuid[], $15::text[], $16::boolean[], $17::bytea[], $18::float8[], $19::float8[], $20::text[], $21::bytea[])
    as w(try_id, classpath, is_user_defined, kwargs, timeout_sec, execution_timeout_sec, next_method, next_kwargs)
), triggers as (
  insert into trigger (dag_run_id, task_id, map_index, classpath, module_hash, kwargs, priority_weight)
  select h.dag_run_id, h.task_id, h.map_index, w.classpath, case when w.is_user_defined then v.module_hash end, w.kwargs, h.priority_weight
    from waits w join held h on h.id = w.try_id join dag_version v on v.id = h.dag_version_id
   where h.end_state = 'deferred'
  returning id, dag_run_id, task_id, map_index
)`,
    deferral: `trigger_id = t.id, next_method = w.next_method, next_kwargs = w.next_kwargs,
         trigger_timeout = least(now() + make_interval(secs => w.timeout_sec),
                                 coalesce(ti.first_start_date, ti.start_date) + make_interval(secs => w.execution_timeout_sec))`,
    joins: `
    left join waits w on w.try_id = h.id
    left join triggers t on t.dag_run_id = h.dag_run_id and t.task_id = h.task_id and t.map_index = h.map_index`,
    told: `
  union all select pg_notify('baram_triggerer', 'new') from (select 1 from triggers limit 1) one`,
  }),
};

type GoingOn = { tables: string; deferral: string; joins: string; told: string };

function compose(more?: GoingOn): string {
  return `
with held as materialized (
  select ${more ? "ti.*" : "ti.dag_run_id, ti.task_id, ti.map_index"}, i.*
    from task_instance ti
    join unnest($1::uuid[], $2::text[], $3::float8[], $4::text[], $5::text[], $8::int[])
      as i(try_id, end_state, delay_sec, reason, label, map_length) on i.try_id = ti.id
   where ti.state = any($6::text[])
     and ($7::float8 is null or coalesce(ti.last_heartbeat_at, ti.queued_dttm) < now() - make_interval(secs => $7))
   order by ti.id
   for update of ti
)${more?.tables ?? ""}, finished as (
  update task_instance ti
     set state = h.end_state, end_date = now(), updated_at = now(),
         duration = extract(epoch from now() - coalesce(ti.first_start_date, ti.start_date)),
         id = case when h.end_state in ('up_for_retry', 'up_for_reschedule', 'deferred') then gen_random_uuid() else ti.id end,
         next_attempt_at = now() + make_interval(secs => h.delay_sec),
         rendered_map_index = coalesce(h.label, ti.rendered_map_index),
         reschedule_count = case h.end_state when 'up_for_reschedule' then ti.reschedule_count + 1 when 'deferred' then ti.reschedule_count else 0 end,
         next_event = null, next_failure = null,
         ${more?.deferral ?? "trigger_id = null, next_method = null, next_kwargs = null, trigger_timeout = null"}
    from held h${more?.joins ?? ""}
   where ti.dag_run_id = h.dag_run_id and ti.task_id = h.task_id and ti.map_index = h.map_index
  returning h.try_id as id, ti.dag_run_id, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.operator, ti.start_date, ti.end_date, h.map_length
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state)
  select dag_run_id, task_id, map_index, state from finished
), measured as (
  insert into task_map (dag_run_id, task_id, map_index, length)
  select dag_run_id, task_id, map_index, map_length from finished where map_length is not null
  on conflict (dag_run_id, task_id, map_index) do update set length = excluded.length
), stored as (
  insert into xcom (dag_run_id, task_id, map_index, key, value)
  select e.dag_run_id, e.task_id, e.map_index, x.key, x.value
    from unnest($9::uuid[], $10::text[], $11::json[]) as x(try_id, key, value) join finished e on e.id = x.try_id
  on conflict (dag_run_id, task_id, map_index, key) do update set value = excluded.value, "timestamp" = now()
), rendered as (
  insert into rendered_task_instance_fields (dag_run_id, task_id, map_index, fields)
  select e.dag_run_id, e.task_id, e.map_index, f.fields
    from unnest($12::uuid[], $13::json[]) as f(try_id, fields) join finished e on e.id = f.try_id
  on conflict (dag_run_id, task_id, map_index) do update set fields = excluded.fields
), told as materialized (
  select pg_notify('baram_scheduler', 'event') from (select 1 from finished limit 1) one${more?.told ?? ""}
)
select id, dag_run_id as "dagRunId", dag_id as "dagId", run_id as "runId", task_id as "taskId", map_index as "mapIndex",
       try_number as "tryNumber", state, operator, start_date as "startDate", end_date as "endDate", (select count(*) from told) as told
  from finished`;
}

export type FinishGuard = { leaving: readonly TaskInstanceState[]; silentForSec: number | null };

/** Finishes tries; the ones left out of the answer were no longer the caller's to finish (stale id, other state). */
export async function finishTries(
  db: Db,
  ends: readonly TryEnd[],
  guard: FinishGuard = { leaving: ["running"], silentForSec: null },
): Promise<FinishedTry[]> {
  const xcoms = ends.flatMap(({ id, xcoms }) => xcoms.map((xcom) => ({ id, ...xcom })));
  const rendered = ends.filter(({ renderedFields }) => renderedFields !== null);
  const values: unknown[] = [
    ends.map((e) => e.id),
    ends.map((e) => e.state),
    ends.map((e) => e.nextAttemptInSec),
    ends.map((e) => e.reason),
    ends.map((e) => e.renderedMapIndex),
    guard.leaving,
    guard.silentForSec,
    ends.map((e) => e.mapLength),
    xcoms.map((x) => x.id),
    xcoms.map((x) => x.key),
    xcoms.map((x) => JSON.stringify(x.value)),
    rendered.map((r) => r.id),
    rendered.map((r) => JSON.stringify(r.renderedFields)),
  ];
  if (!ends.some(({ state }) => state === "up_for_retry" || state === "deferred"))
    return (await db.query<FinishedTry>(plain, values)).rows;
  const waits = ends.flatMap(({ id, deferral }) => (deferral === null ? [] : [{ id, ...deferral }]));
  values.push(
    waits.map((w) => w.id),
    waits.map((w) => w.classpath),
    waits.map((w) => w.isUserDefined),
    waits.map((w) => w.kwargs),
    waits.map((w) => w.timeoutSec),
    waits.map((w) => w.executionTimeoutSec),
    waits.map((w) => w.nextMethod),
    waits.map((w) => w.nextKwargs),
  );
  return (await db.query<FinishedTry>(goingOn, values)).rows;
}
