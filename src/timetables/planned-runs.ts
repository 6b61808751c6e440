import type { NextRunQuery, RunInstants } from "./run-instants.ts";

const FIVE_MINUTES_MS = 5 * 60_000;

/**
 * The next run in an ascending list: events, or the planned runs of a custom timetable. With catchup, the first run after the
 * last one; without, the latest run that is due, or the first one in the future. `firstMayBePast`: without catchup, a DAG that
 * has never run starts with the latest run that is due, like a cron schedule with a start date. Otherwise it starts as in
 * Airflow's EventsTimetable: with the first run in the future, or one that is at most five minutes past.
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
