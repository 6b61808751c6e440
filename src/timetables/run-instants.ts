import type { SerializedTimetable } from "../contracts/index.ts";

// Inside this folder all instants are numbers: milliseconds since the epoch, as from `Clock.now()`. dated.ts has the callers'
// form.

/** `start` ≤ `end`; equal for schedules without data intervals. */
export type DataInterval = { dataIntervalStart: number; dataIntervalEnd: number };

/** The dates with which a scheduled run is created, from `runAfter` on. */
export type RunInstants = DataInterval & { logicalDate: number; runAfter: number };

/** The newest automatic (scheduled or backfilled) run. */
export type LastRun = RunInstants;

/** Bounds of the schedule, inclusive: `latest` bounds the logical date. null = unbounded. */
export type Restriction = { earliest: number | null; latest: number | null; catchup: boolean };

/** `planned`: the planned runs of a custom timetable, ascending; other schedules need none. */
export type NextRunQuery = {
  last: LastRun | null;
  restriction: Restriction;
  now: number;
  planned?: readonly RunInstants[] | undefined;
};

/**
 * A repeating sequence of instants. `next` and `previous` are strict; the align functions return the instant itself if it
 * matches.
 */
export type Period = {
  next(instant: number): number;
  previous(instant: number): number;
  alignToNext(instant: number): number;
  alignToPrevious(instant: number): number;
};

export type PeriodicTimetable = Extract<SerializedTimetable, { type: "cron" | "crons" | "delta" }>;

/** Whether each run covers the interval up to the next instant (Airflow's data interval timetables). */
export function hasDataIntervals(
  timetable: PeriodicTimetable,
): timetable is Extract<PeriodicTimetable, { type: "cron" | "delta" }> {
  return timetable.type !== "crons" && timetable.intervals;
}

/** Length in ms of the data interval that a trigger timetable gives its runs. */
export function triggerIntervalMs(timetable: PeriodicTimetable): number {
  return Math.round((timetable.intervalSec ?? 0) * 1000);
}

export function runAt(instant: number): RunInstants {
  return runOver(instant, instant);
}

/** As in Airflow: the logical date is the interval's start, and the run is due at its end. */
export function runOver(start: number, end: number): RunInstants {
  return { logicalDate: start, dataIntervalStart: start, dataIntervalEnd: end, runAfter: end };
}
