import type { SerializedTimetable } from "../contracts/index.ts";
import { nextIntervalStart } from "./interval-timetable.ts";
import { periodOf } from "./period.ts";
import { type NextRunQuery, type RunInstants, runAt, runOver } from "./run-instants.ts";
import { nextTrigger } from "./trigger-timetable.ts";

/**
 * The next automatic run of a DAG, or null when there will be none. Instants are epoch milliseconds. The run is due once
 * `now` ≥ its `runAfter`; a later one may come back as well, for display and for the next look. Follows Airflow 3's
 * `Timetable.next_dagrun_info`. Throws `timetable_invalid` for a cron expression that `validateCron` refuses.
 */
export function nextRun(timetable: SerializedTimetable, query: NextRunQuery): RunInstants | null {
  switch (timetable.type) {
    case "null":
      return null;
    case "once":
      return nextOnce(query);
    case "continuous":
      return nextContinuous(query);
    case "cron":
    case "delta":
      return nextPeriodic(timetable, query);
  }
}

/** The next `count` runs, each computed as if the one before had been created: fewer where the schedule ends. */
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

function nextPeriodic(timetable: Extract<SerializedTimetable, { type: "cron" | "delta" }>, query: NextRunQuery) {
  const { latest } = query.restriction;
  const period = periodOf(timetable);
  const start = timetable.intervals ? nextIntervalStart(timetable, period, query) : nextTrigger(timetable, period, query);
  if (start === null || (latest !== null && start > latest)) return null;
  return timetable.intervals ? runOver(start, period.next(start)) : runAt(start);
}

/** At the start date, or at once; catchup makes no difference, as in Airflow. */
function nextOnce({ last, restriction, now }: NextRunQuery): RunInstants | null {
  if (last) return null;
  const instant = restriction.earliest ?? now;
  return restriction.latest !== null && instant > restriction.latest ? null : runAt(instant);
}

/**
 * From the end of the last run's interval until now; the caller keeps one run active at a time. Differs from Airflow in
 * one point: a first run of zero length would leave the second with the same logical date, so that one starts 1 ms later.
 */
function nextContinuous({ last, restriction, now }: NextRunQuery): RunInstants | null {
  const earliest = restriction.earliest ?? now;
  const start = last ? Math.max(last.dataIntervalEnd, last.logicalDate + 1, restriction.earliest ?? -Infinity) : earliest;
  const end = Math.max(start, now);
  return restriction.latest !== null && end > restriction.latest ? null : runOver(start, end);
}
