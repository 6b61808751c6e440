// The API of this folder. Callers use `Date`s from the database; inside the folder instants are epoch milliseconds, which are
// easy to compare and add.

import type { DagRunType, SerializedDag, SerializedTimetable } from "../contracts/index.ts";
import { manualRunInterval as manualInterval } from "./manual-run.ts";
import { dueRun as dueRunFrom, nextRuns as nextRunsFrom } from "./next-run.ts";
import { restrictionOf as boundsOf, type Schedulable, tasksOutside } from "./restriction.ts";
import { runIdFor as runIdAt } from "./run-id.ts";
import type * as ms from "./run-instants.ts";

type Dated<T> = { [K in keyof T]: T[K] extends number ? Date : T[K] extends number | null ? Date | null : T[K] };

/** `dataIntervalStart` ≤ `dataIntervalEnd`; equal for schedules without data intervals. */
export type DataInterval = Dated<ms.DataInterval>;
/** The dates with which a scheduled run is created, from `runAfter` on. */
export type RunInstants = Dated<ms.RunInstants>;
/** The newest automatic (scheduled or backfilled) run. */
export type LastRun = RunInstants;
/** Bounds of the schedule, inclusive: `latest` bounds the logical date. null = unbounded. */
export type Restriction = Dated<ms.Restriction>;
/** `planned`: the planned runs of a custom timetable, ascending. */
export type NextRunQuery = {
  last: LastRun | null;
  restriction: Restriction;
  now: Date;
  planned?: readonly RunInstants[] | undefined;
};
/** For a custom timetable: the newest planned run that is due at a given moment. */
export type PlannedInterval = DataInterval & { manualInterval: DataInterval | null };

/**
 * The next automatic run of a DAG, or null if there is none. It is due once `now` ≥ its `runAfter`, which may be in the future.
 * Follows Airflow 3's `Timetable.next_dagrun_info`. Throws `timetable_invalid` for a schedule that `validateTimetable` refuses.
 */
export function nextRun(timetable: SerializedTimetable, query: NextRunQuery): RunInstants | null {
  return nextRuns(timetable, query, 1)[0] ?? null;
}

/** The next `count` runs, each computed as if the previous one had been created; fewer if the schedule ends. */
export function nextRuns(timetable: SerializedTimetable, query: NextRunQuery, count: number): RunInstants[] {
  return nextRunsFrom(timetable, queryToMs(query), count).map(runToDates);
}

/**
 * The run to create now that `planned`, the next run in the DAG's row, is due: without catchup the latest run that is due, so
 * that a downtime or a pause creates at most one run.
 */
export function dueRun(timetable: SerializedTimetable, planned: RunInstants, query: Omit<NextRunQuery, "last">): RunInstants {
  return runToDates(dueRunFrom(timetable, runToMs(planned), queryToMs({ ...query, last: null })));
}

/**
 * Whether a schedule of this type has past dates that can be listed: Airflow's `Timetable.periodic`. Only then does a backfill
 * have dates. A custom timetable is planned forwards only.
 */
export function isPeriodic(type: string): boolean {
  return type === "cron" || type === "crons" || type === "delta" || type === "events";
}

/**
 * The data interval of a manual run with this logical date: the last complete interval before it for schedules with data
 * intervals, otherwise the instant itself. Follows Airflow's `infer_manual_data_interval`; `planned` is for custom timetables.
 */
export function manualRunInterval(
  timetable: SerializedTimetable,
  logicalDate: Date,
  planned: PlannedInterval | null = null,
): DataInterval {
  const inMs = planned && {
    ...intervalToMs(planned),
    manualInterval: planned.manualInterval && intervalToMs(planned.manualInterval),
  };
  const interval = manualInterval(timetable, logicalDate.getTime(), inMs);
  return { dataIntervalStart: new Date(interval.dataIntervalStart), dataIntervalEnd: new Date(interval.dataIntervalEnd) };
}

/** Tasks whose own dates exclude this logical date. A run without a logical date has all tasks. */
export function tasksWithoutRun(dag: Pick<SerializedDag, "timezone" | "tasks">, logicalDate: Date | null): ReadonlySet<string> {
  return logicalDate === null ? new Set() : tasksOutside(dag, logicalDate.getTime());
}

/** The bounds within which a DAG is scheduled; see restriction.ts. Throws `timetable_invalid` for a date that cannot be parsed. */
export function restrictionOf(dag: Schedulable): Restriction {
  const { earliest, latest, catchup } = boundsOf(dag);
  return { earliest: toDate(earliest), latest: toDate(latest), catchup };
}

/**
 * A run id in Airflow's format: `scheduled__2026-01-01T00:00:00+00:00`, from the run's type and its `runAfter`. Runs without a
 * logical date pass a random `suffix`, since several may have the same instant.
 */
export function runIdFor(type: DagRunType, instant: Date, suffix?: string): string {
  return runIdAt(type, instant.getTime(), suffix);
}

function queryToMs({ last, restriction, now, planned }: NextRunQuery): ms.NextRunQuery {
  const bounds = { ...restriction, earliest: toMs(restriction.earliest), latest: toMs(restriction.latest) };
  return { last: last && runToMs(last), restriction: bounds, now: now.getTime(), planned: planned?.map(runToMs) };
}

function runToMs(run: RunInstants): ms.RunInstants {
  return { logicalDate: run.logicalDate.getTime(), ...intervalToMs(run), runAfter: run.runAfter.getTime() };
}

function runToDates(run: ms.RunInstants): RunInstants {
  return {
    logicalDate: new Date(run.logicalDate),
    dataIntervalStart: new Date(run.dataIntervalStart),
    dataIntervalEnd: new Date(run.dataIntervalEnd),
    runAfter: new Date(run.runAfter),
  };
}

function intervalToMs(interval: DataInterval): ms.DataInterval {
  return {
    dataIntervalStart: interval.dataIntervalStart.getTime(),
    dataIntervalEnd: interval.dataIntervalEnd.getTime(),
  };
}

function toMs(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}

function toDate(instant: number | null): Date | null {
  return instant === null ? null : new Date(instant);
}
