import type { NextRunQuery, Period, PeriodicTimetable } from "./run-instants.ts";

/**
 * Start of the next run's data interval: Airflow's `_DataIntervalTimetable`. null = a DAG with catchup and no start date
 * has no first interval.
 */
export function nextIntervalStart(timetable: PeriodicTimetable, period: Period, query: NextRunQuery): number | null {
  const { last } = query;
  const earliest = earliestStart(timetable, period, query);
  if (!last) return earliest;
  // Aligned, since the DAG's schedule may have changed after the last run.
  const follows = period.alignToPrevious(last.dataIntervalEnd);
  const start = Math.max(follows, earliest ?? follows);
  // After such a change the aligned start may be in an interval that has already run; logical dates of a DAG only increase.
  return start > last.logicalDate ? start : period.next(last.logicalDate);
}

function earliestStart(timetable: PeriodicTimetable, period: Period, { restriction, now }: NextRunQuery): number | null {
  const { earliest, catchup } = restriction;
  const aligned = earliest === null ? null : period.alignToNext(earliest);
  if (catchup) return aligned;
  const latest = timetable.type === "delta" ? latestCompleteDelta(timetable.seconds, now) : latestCompleteCron(period, now);
  return aligned === null ? latest : Math.max(latest, aligned);
}

/** Start of the newest interval that has ended; an interval that ends exactly now counts. */
function latestCompleteCron(period: Period, now: number): number {
  const lastStart = period.previous(now);
  return period.next(lastStart) === now ? lastStart : period.previous(lastStart);
}

/**
 * As Airflow, rounds now down to a multiple of the delta since the epoch, so that the first run does not depend on the second at
 * which it is computed.
 */
function latestCompleteDelta(seconds: number, now: number): number {
  const lengthMs = Math.max(1, Math.round(seconds * 1000));
  return Math.floor(now / lengthMs) * lengthMs - lengthMs;
}
