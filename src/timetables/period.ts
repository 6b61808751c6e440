import { BaramError } from "../platform/index.ts";
import { validateTimetable } from "./cron-expression.ts";
import { cronPeriod } from "./cron-instants.ts";
import type { Period, PeriodicTimetable } from "./run-instants.ts";

/** The instants of one or several cron expressions or of a delta. Throws `timetable_invalid`. */
export function periodOf(timetable: PeriodicTimetable): Period {
  if (timetable.type === "cron") return cronPeriod(timetable.expression, timetable.timezone);
  if (timetable.type === "crons") {
    return unionOf(timetable.expressions.map((expression) => cronPeriod(expression, timetable.timezone)));
  }
  const problem = validateTimetable(timetable);
  if (problem) throw new BaramError("timetable_invalid", problem, { seconds: timetable.seconds });
  return deltaPeriod(timetable.seconds);
}

/** The union of several periods, each instant once. */
function unionOf(periods: readonly Period[]): Period {
  return {
    next: (instant) => Math.min(...periods.map((period) => period.next(instant))),
    previous: (instant) => Math.max(...periods.map((period) => period.previous(instant))),
    alignToNext: (instant) => Math.min(...periods.map((period) => period.alignToNext(instant))),
    alignToPrevious: (instant) => Math.max(...periods.map((period) => period.alignToPrevious(instant))),
  };
}

/**
 * As in Airflow, a delta is not aligned to any instant: it counts real time from the given instant, so every instant is aligned.
 */
function deltaPeriod(seconds: number): Period {
  const lengthMs = Math.max(1, Math.round(seconds * 1000));
  return {
    next: (instant) => instant + lengthMs,
    previous: (instant) => instant - lengthMs,
    alignToNext: (instant) => instant,
    alignToPrevious: (instant) => instant,
  };
}
