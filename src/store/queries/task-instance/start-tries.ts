import type { DagRunState, DagRunType, JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type TryStart = { id: string; hostname: string; unixname: string; pid: number };
export type StartedTry = {
  id: string;
  dagRunId: number;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  maxTries: number;
  versionId: string;
  rescheduleCount: number;
  startDate: Date;
  /** The platform has written into its log before this start. */
  isNoted: boolean;
  /** Seconds from queued to now; null = it was running already, and its caller only repeats the call. */
  queuedSec: number | null;
  /** Set for a try that was deferred and goes on; kwargs and event are encrypted. */
  nextMethod: string | null;
  nextKwargs: Buffer | null;
  nextEvent: Buffer | null;
  nextFailure: string | null;
  run: {
    runType: DagRunType;
    state: DagRunState;
    logicalDate: string | null;
    dataIntervalStart: string | null;
    dataIntervalEnd: string | null;
    runAfter: string;
    startDate: string | null;
    endDate: string | null;
    conf: JsonObject;
    clearNumber: number;
    note: string | null;
    triggeringUserName: string | null;
  };
};

/**
 * $1 ids, $2 hostnames, $3 unix names, $4 pids. queued → running; the same caller (host, user, pid) may ask again, since
 * its first answer may have been lost. Locked in id order, as everywhere that many are changed at once. The inner select of $1 makes the array's
 * length opaque, so that the generic plan is kept.
 */
const statement = {
  name: "start-tries",
  text: `
with held as materialized (
  select ti.id, s.hostname, s.unixname, s.pid, ti.state <> 'running' and ti.last_heartbeat_at > ti.scheduled_dttm as is_noted
    from task_instance ti join unnest((select $1::uuid[]), $2::text[], $3::text[], $4::int[]) as s(id, hostname, unixname, pid) on ti.id = s.id
   where (ti.state in ('queued', 'restarting')
      or (ti.state = 'running' and ti.hostname = s.hostname and ti.unixname = s.unixname and ti.pid = s.pid))
   order by ti.id
   for no key update of ti
), started as (
  update task_instance ti
     set state = 'running', hostname = s.hostname, unixname = s.unixname, pid = s.pid, last_heartbeat_at = now(),
         start_date = case when ti.state = 'running' then ti.start_date else now() end,
         first_start_date = case when ti.reschedule_count = 0 and ti.next_method is null and ti.state <> 'running' then now() else coalesce(ti.first_start_date, now()) end,
         updated_at = now()
    from held s
   where ti.id = s.id
  returning ti.id, ti.dag_run_id, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number, ti.max_tries, ti.dag_version_id, ti.reschedule_count,
    ti.start_date, ti.first_start_date, ti.queued_dttm, ti.next_method, ti.next_kwargs, ti.next_event, ti.next_failure, s.is_noted
)
select t.id, t.dag_run_id as "dagRunId", t.dag_id as "dagId", t.run_id as "runId", t.task_id as "taskId", t.map_index as "mapIndex",
       t.try_number as "tryNumber", t.max_tries as "maxTries", t.dag_version_id as "versionId",
       t.reschedule_count as "rescheduleCount", t.first_start_date as "startDate",
       coalesce(t.is_noted, false) as "isNoted",
       case when t.start_date = now() then extract(epoch from now() - t.queued_dttm)::float8 end as "queuedSec",
       t.next_method as "nextMethod", t.next_kwargs as "nextKwargs", t.next_event as "nextEvent", t.next_failure as "nextFailure",
       json_build_object('runType', r.run_type, 'state', r.state, 'logicalDate', r.logical_date, 'dataIntervalStart', r.data_interval_start,
         'dataIntervalEnd', r.data_interval_end, 'runAfter', r.run_after, 'startDate', r.start_date, 'endDate', r.end_date,
         'conf', r.conf, 'clearNumber', r.clear_number, 'note', r.note, 'triggeringUserName', r.triggering_user_name) as run
  from started t join dag_run r on r.id = t.dag_run_id`,
};

/** Starts tries; those missing from the answer are not the caller's to start. */
export async function startTries(db: Db, starts: readonly TryStart[]): Promise<StartedTry[]> {
  const { rows } = await db.query<StartedTry>(statement, [
    starts.map((s) => s.id),
    starts.map((s) => s.hostname),
    starts.map((s) => s.unixname),
    starts.map((s) => s.pid),
  ]);
  return rows;
}
