import type { JsonValue, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db, Statement } from "../../store.ts";
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

/** Parts of the statement that most ends do not need: each part's parameters, or null if no end needs it. */
const PARTS = {
  retries: (ends) => (ends.some(({ state }) => state === "up_for_retry") ? [] : null),
  lengths: (ends) => (ends.some(({ mapLength }) => mapLength !== null) ? [ends.map((end) => end.mapLength)] : null),
  deferrals(ends) {
    const waits = ends.flatMap(({ id, deferral }) => (deferral === null ? [] : [{ id, ...deferral }]));
    if (waits.length === 0) return null;
    return [
      waits.map((w) => w.id),
      waits.map((w) => w.classpath),
      waits.map((w) => w.isUserDefined),
      waits.map((w) => w.kwargs),
      waits.map((w) => w.timeoutSec),
      waits.map((w) => w.executionTimeoutSec),
      waits.map((w) => w.nextMethod),
      waits.map((w) => w.nextKwargs),
    ];
  },
  xcoms(ends) {
    const xcoms = ends.flatMap(({ id, xcoms }) => xcoms.map((xcom) => ({ id, ...xcom })));
    if (xcoms.length === 0) return null;
    return [xcoms.map((x) => x.id), xcoms.map((x) => x.key), xcoms.map((x) => JSON.stringify(x.value))];
  },
  rendered(ends) {
    const rendered = ends.filter(({ renderedFields }) => renderedFields !== null);
    if (rendered.length === 0) return null;
    return [rendered.map((r) => r.id), rendered.map((r) => JSON.stringify(r.renderedFields))];
  },
} satisfies Record<string, (ends: readonly TryEnd[]) => unknown[] | null>;
type Part = keyof typeof PARTS;
const PART_NAMES = Object.keys(PARTS) as Part[];

/** What the history keeps of a try that is followed by a retry. */
const RETRIED = {
  state: "'failed'",
  reason: "h.reason",
  end_date: "now()",
  duration: "extract(epoch from now() - h.start_date)",
};

/**
 * The only statement that finishes a try. State, XComs, map length, history and outbox line are written together or not at all, and
 * a whole batch costs one round trip. Rows are locked in id order: two batches cannot deadlock. A retry, a rescheduled poke and a
 * deferral get a new id at once, so that every later write of the old try fails.
 *
 * Composed of the parts that the ends need: planning the full statement costs more than running it for one try.
 *
 * $1 ids, $2 states, $3 seconds to the next attempt, $4 reasons, $5 what instances are called, $6 states that may be left, $7
 * seconds without a heartbeat (null = do not ask). Then the parameters of its parts, in the order of `PARTS`.
 */
function compose(parts: ReadonlySet<Part>): Statement {
  let last = 7;
  const next = () => `$${++last}`;
  const keeps = parts.has("retries") || parts.has("deferrals") ? "ti.*" : "ti.dag_run_id, ti.task_id, ti.map_index";
  const when = (part: Part, text: () => string) => (parts.has(part) ? text() : "");
  const text = `
with held as materialized (
  select ${keeps}, i.*
    from task_instance ti
    join unnest($1::uuid[], $2::text[], $3::float8[], $4::text[], $5::text[]${when("lengths", () => `, ${next()}::int[]`)})
      as i(try_id, end_state, delay_sec, reason, label${when("lengths", () => ", map_length")}) on i.try_id = ti.id
   where ti.state = any($6::text[])
     and ($7::float8 is null or coalesce(ti.last_heartbeat_at, ti.queued_dttm) < now() - make_interval(secs => $7))
   order by ti.id
   for update of ti
)${when(
    "retries",
    () => `, archived as (
  ${archiveFrom("held", RETRIED)}
   where h.end_state = 'up_for_retry'
)`,
  )}${when(
    "deferrals",
    () => `, waits as materialized (
  select * from unnest(${next()}::uuid[], ${next()}::text[], ${next()}::boolean[], ${next()}::bytea[], ${next()}::float8[], ${next()}::float8[], ${next()}::text[], ${next()}::bytea[])
    as w(try_id, classpath, is_user_defined, kwargs, timeout_sec, execution_timeout_sec, next_method, next_kwargs)
), triggers as (
  insert into trigger (dag_run_id, task_id, map_index, classpath, module_hash, kwargs, priority_weight)
  select h.dag_run_id, h.task_id, h.map_index, w.classpath, case when w.is_user_defined then v.module_hash end, w.kwargs, h.priority_weight
    from waits w join held h on h.id = w.try_id join dag_version v on v.id = h.dag_version_id
   where h.end_state = 'deferred'
  returning id, dag_run_id, task_id, map_index
)`,
  )}, finished as (
  update task_instance ti
     set state = h.end_state, end_date = now(), updated_at = now(),
         duration = extract(epoch from now() - coalesce(ti.first_start_date, ti.start_date)),
         id = case when h.end_state in ('up_for_retry', 'up_for_reschedule', 'deferred') then gen_random_uuid() else ti.id end,
         next_attempt_at = now() + make_interval(secs => h.delay_sec),
         rendered_map_index = coalesce(h.label, ti.rendered_map_index),
         reschedule_count = case h.end_state when 'up_for_reschedule' then ti.reschedule_count + 1 when 'deferred' then ti.reschedule_count else 0 end,
         next_event = null, next_failure = null,
         ${
           parts.has("deferrals")
             ? `trigger_id = t.id, next_method = w.next_method, next_kwargs = w.next_kwargs,
         trigger_timeout = least(now() + make_interval(secs => w.timeout_sec),
                                 coalesce(ti.first_start_date, ti.start_date) + make_interval(secs => w.execution_timeout_sec))`
             : "trigger_id = null, next_method = null, next_kwargs = null, trigger_timeout = null"
         }
    from held h${when(
      "deferrals",
      () => `
    left join waits w on w.try_id = h.id
    left join triggers t on t.dag_run_id = h.dag_run_id and t.task_id = h.task_id and t.map_index = h.map_index`,
    )}
   where ti.dag_run_id = h.dag_run_id and ti.task_id = h.task_id and ti.map_index = h.map_index
  returning h.try_id as id, ti.dag_run_id, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.state, ti.try_number, ti.operator, ti.start_date, ti.end_date${when("lengths", () => ", h.map_length")}
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state)
  select dag_run_id, task_id, map_index, state from finished
)${when(
    "lengths",
    () => `, measured as (
  insert into task_map (dag_run_id, task_id, map_index, length)
  select dag_run_id, task_id, map_index, map_length from finished where map_length is not null
  on conflict (dag_run_id, task_id, map_index) do update set length = excluded.length
)`,
  )}${when(
    "xcoms",
    () => `, stored as (
  insert into xcom (dag_run_id, task_id, map_index, key, value)
  select e.dag_run_id, e.task_id, e.map_index, x.key, x.value
    from unnest(${next()}::uuid[], ${next()}::text[], ${next()}::json[]) as x(try_id, key, value) join finished e on e.id = x.try_id
  on conflict (dag_run_id, task_id, map_index, key) do update set value = excluded.value, "timestamp" = now()
)`,
  )}${when(
    "rendered",
    () => `, rendered as (
  insert into rendered_task_instance_fields (dag_run_id, task_id, map_index, fields)
  select e.dag_run_id, e.task_id, e.map_index, f.fields
    from unnest(${next()}::uuid[], ${next()}::json[]) as f(try_id, fields) join finished e on e.id = f.try_id
  on conflict (dag_run_id, task_id, map_index) do update set fields = excluded.fields
)`,
  )}, told as materialized (
  select pg_notify('baram_scheduler', 'event') from (select 1 from finished limit 1) one${when(
    "deferrals",
    () => `
  union all select pg_notify('baram_triggerer', 'new') from (select 1 from triggers limit 1) one`,
  )}
)
select id, dag_run_id as "dagRunId", dag_id as "dagId", run_id as "runId", task_id as "taskId", map_index as "mapIndex",
       try_number as "tryNumber", state, operator, start_date as "startDate", end_date as "endDate", (select count(*) from told) as told
  from finished`;
  return { name: ["finish-tries", ...parts].join("-"), text };
}

const statements = new Map<string, Statement>();

function statementFor(parts: readonly Part[]): Statement {
  const key = parts.join();
  const known = statements.get(key) ?? compose(new Set(parts));
  statements.set(key, known);
  return known;
}

export type FinishGuard = { leaving: readonly TaskInstanceState[]; silentForSec: number | null };

/** Finishes tries; the ones left out of the answer were no longer the caller's to finish (stale id, other state). */
export async function finishTries(
  db: Db,
  ends: readonly TryEnd[],
  guard: FinishGuard = { leaving: ["running"], silentForSec: null },
): Promise<FinishedTry[]> {
  const parts: Part[] = [];
  const added: unknown[] = [];
  for (const part of PART_NAMES) {
    const values = PARTS[part](ends);
    if (values === null) continue;
    parts.push(part);
    added.push(...values);
  }
  const { rows } = await db.query<FinishedTry>(statementFor(parts), [
    ends.map((e) => e.id),
    ends.map((e) => e.state),
    ends.map((e) => e.nextAttemptInSec),
    ends.map((e) => e.reason),
    ends.map((e) => e.renderedMapIndex),
    guard.leaving,
    guard.silentForSec,
    ...added,
  ]);
  return rows;
}
