import type { NextRunQuery, Period, PeriodicTimetable } from "./run-instants.ts";

const FIVE_MINUTES_MS = 5 * 60_000;

/**
 * The instant of the next run of a schedule without data intervals: Airflow's `_TriggerTimetable`. With catchup, the next one
 * after the last run, however old; without, the latest one that is due, or the first one in the future.
 */
export function nextTrigger(timetable: PeriodicTimetable, period: Period, { last, restriction, now }: NextRunQuery): number {
  const { earliest, catchup } = restriction;
  if (catchup) {
    // A start date that was moved after the last run counts too; Airflow considers it for the first run only.
    if (last) return laterOf(period.next(last.dataIntervalEnd), earliest === null ? null : period.alignToNext(earliest));
    return earliest === null ? firstRun(timetable, period, now) : period.alignToNext(earliest);
  }
  let start = period.alignToPrevious(now);
  if (last) start = Math.max(start, period.next(last.dataIntervalEnd));
  else if (earliest === null) start = Math.max(start, firstRun(timetable, period, now));
  return laterOf(start, earliest === null ? null : period.alignToNext(earliest));
}

/**
 * The first run of a DAG without a start date. A cron instant that has just passed (within 10 % of the period, but at least 5
 * minutes) still runs, so that a DAG deployed at 00:01 need not wait until the next day. `runImmediately` can change this.
 */
function firstRun(timetable: PeriodicTimetable, period: Period, now: number): number {
  const past = period.alignToPrevious(now);
  if (timetable.type === "delta") return past;
  const next = period.alignToNext(now);
  const { runImmediately } = timetable;
  if (typeof runImmediately === "boolean") return runImmediately ? past : next;
  const mostMs = runImmediately === undefined ? Math.max((next - past) / 10, FIVE_MINUTES_MS) : runImmediately * 1000;
  return now - past <= mostMs ? past : next;
}

function laterOf(instant: number, bound: number | null): number {
  return bound === null ? instant : Math.max(instant, bound);
}
