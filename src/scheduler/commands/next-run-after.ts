import { type Db, findRun } from "../../store/index.ts";
import { nextRun } from "../../timetables/index.ts";
import type { DagCache } from "./dag-cache.ts";

/**
 * When the schedule of a run's own DAG version makes the run after it due, the DAG's start and end dates left aside, as
 * Airflow's LatestOnlyOperator asks; `runAfter` null = it makes none. null = there is no such run.
 */
export async function nextRunAfter(
  db: Db,
  cache: DagCache,
  dagId: string,
  runId: string,
  now: Date,
): Promise<{ runAfter: Date | null } | null> {
  const run = await findRun(db, dagId, runId);
  if (!run?.versionId) return null;
  const { graph } = await cache.get(db, run.versionId);
  const date = run.logicalDate ?? run.runAfter;
  const last = {
    logicalDate: date,
    dataIntervalStart: run.dataIntervalStart ?? date,
    dataIntervalEnd: run.dataIntervalEnd ?? date,
    runAfter: run.runAfter,
  };
  const next = nextRun(graph.dag.timetable, { last, restriction: { earliest: null, latest: null, catchup: true }, now });
  return { runAfter: next?.runAfter ?? null };
}
