import { INSTANT_MAX_MS, type SerializedTimetable } from "../contracts/index.ts";
import { nextIntervalStart } from "./interval-timetable.ts";
import { periodOf } from "./period.ts";
import { nextOfList } from "./planned-runs.ts";
import {
  hasDataIntervals,
  type NextRunQuery,
  type PeriodicTimetable,
  type RunInstants,
  runAt,
  runOver,
  triggerIntervalMs,
} from "./run-instants.ts";
import { nextTrigger } from "./trigger-timetable.ts";

/**
 * The next automatic run of a DAG, or null if there is none. Instants are epoch milliseconds. The run is due once `now` ≥ its
 * `runAfter`; a later run is returned too, for display and for the next pass. Follows Airflow 3's `Timetable.next_dagrun_info`.
 * Throws `timetable_invalid` for a cron expression that `validateCron` refuses.
 */
export function nextRun(timetable: SerializedTimetable, query: NextRunQuery): RunInstants | null {
  switch (timetable.type) {
    case "null":
      return null;
    case "once":
      return nextOnce(query);
    case "continuous":
      return nextContinuous(query);
    case "events":
      return nextOfList(eventRuns(timetable.dates), query, false);
    case "custom":
      return nextOfList(query.planned ?? [], query, true);
    case "cron":
    case "crons":
    case "delta":
      return nextPeriodic(timetable, query);
  }
}

/**
 * The run to create now that `planned` is due. With catchup it is `planned`; without, the latest run that is due, since others
 * may have become due while no scheduler was running or the DAG was paused. @once and @continuous have no other runs.
 */
export function dueRun(timetable: SerializedTimetable, planned: RunInstants, query: Omit<NextRunQuery, "last">): RunInstants {
  if (query.restriction.catchup || timetable.type === "once" || timetable.type === "continuous") return planned;
  const later = nextRun(timetable, { ...query, last: planned });
  return later && later.runAfter <= query.now ? later : planned;
}

/** The next `count` runs, each computed as if the previous one had been created; fewer if the schedule ends. */
export function nextRuns(timetable: SerializedTimetable, query: NextRunQuery, count: number): RunInstants[] {
  const runs: RunInstants[] = [];
  let last = query.last;
  while (runs.length < count) {
    const run = nextRun(timetable, { ...query, last });
    if (!run) break;
    runs.push(run);
    last = run;
  }
  return runs;
}

function nextPeriodic(timetable: PeriodicTimetable, query: NextRunQuery) {
  const { latest } = query.restriction;
  const period = periodOf(timetable);
  const withIntervals = hasDataIntervals(timetable);
  const start = withIntervals ? nextIntervalStart(timetable, period, query) : nextTrigger(timetable, period, query);
  if (start === null || start > (latest ?? INSTANT_MAX_MS)) return null;
  if (!withIntervals) return runOver(start - triggerIntervalMs(timetable), start);
  const end = period.next(start);
  return end > INSTANT_MAX_MS ? null : runOver(start, end);
}

const parsedEvents = new WeakMap<readonly string[], RunInstants[]>();

/** Parsed once per DAG version: there may be thousands of dates, and they are needed for every run. */
function eventRuns(dates: readonly string[]): RunInstants[] {
  const known = parsedEvents.get(dates);
  if (known) return known;
  const runs = dates.map((date) => runAt(Date.parse(date)));
  parsedEvents.set(dates, runs);
  return runs;
}

/** At the start date, or now; catchup makes no difference, as in Airflow. */
function nextOnce({ last, restriction, now }: NextRunQuery): RunInstants | null {
  if (last) return null;
  const instant = restriction.earliest ?? now;
  return restriction.latest !== null && instant > restriction.latest ? null : runAt(instant);
}

/**
 * From the end of the last run's interval until now; the caller allows one active run at a time. There is one difference from
 * Airflow: after a first run of zero length, the second would have the same logical date, so it starts 1 ms later.
 */
function nextContinuous({ last, restriction, now }: NextRunQuery): RunInstants | null {
  const earliest = restriction.earliest ?? now;
  const start = last ? Math.max(last.dataIntervalEnd, last.logicalDate + 1, restriction.earliest ?? -Infinity) : earliest;
  const end = Math.max(start, now);
  return restriction.latest !== null && end > restriction.latest ? null : runOver(start, end);
}
