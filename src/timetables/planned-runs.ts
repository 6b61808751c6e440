import type { NextRunQuery, RunInstants } from "./run-instants.ts";

const FIVE_MINUTES_MS = 5 * 60_000;

/**
 * The next run out of an ascending list: events, and what a custom timetable was planned. With catchup, the first after the
 * last run; without, the latest that is due, or else the first in the future. `firstMayBePast`: without catchup a DAG that
 * never ran starts with the latest one that is due, as a cron schedule with a start date does; else, as Airflow's
 * EventsTimetable, with the first in the future, or one not more than five minutes past.
 */
export function nextOfList(
  runs: readonly RunInstants[],
  { last, restriction, now }: NextRunQuery,
  firstMayBePast: boolean,
): RunInstants | null {
  const { earliest, latest, catchup } = restriction;
  const open = runs.filter(
    (run) =>
      (last === null || (run.logicalDate > last.logicalDate && run.runAfter >= last.runAfter)) &&
      (earliest === null || run.logicalDate >= earliest) &&
      (latest === null || run.logicalDate <= latest),
  );
  if (catchup) return open[0] ?? null;
  const since = last || firstMayBePast ? -Infinity : now - FIVE_MINUTES_MS;
  const latestDue = open.findLast((run) => run.runAfter <= now && run.runAfter >= since);
  return latestDue ?? open.find((run) => run.runAfter > now) ?? null;
}
