import { toError } from "../platform/index.ts";
import { type Db, type DueDag, inSavepoint, isDataFault, listPlannedRuns, lockDueDags, setNextRun } from "../store/index.ts";
import { dueRun, nextRun, type RunInstants, restrictionOf } from "../timetables/index.ts";

import { isPoisoned } from "./commands/dag-cache.ts";
import { type CreatedRun, countCreated, createDagRun, type DagCache } from "./commands/index.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Creates the runs whose time has come, one per DAG and pass, and sets when each DAG's next one is due. Returns how many. */
export async function createScheduledRuns(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { store, dags, logger, executors, metrics } = resources;
  const defaultExecutor = [...executors.keys()][0] ?? "";
  const created: CreatedRun[] = [];
  const count = await store.transaction(async (tx) => {
    created.length = 0;
    const due = await lockDueDags(tx, options.maxRunsToCreate);
    if (due.length > 0) await resources.pause("after-due-dags");
    for (const dag of due) {
      try {
        const run = await inSavepoint(tx, () => createOne(tx, dags, defaultExecutor, dag));
        if (run) created.push(run);
      } catch (error) {
        // One poisoned DAG must not keep the others from running; it is looked at again when its file changes.
        if (!isPoisoned(error) && !isDataFault(error)) throw error;
        logger.error(
          { dagId: dag.dagId, error: toError(error).message },
          "a scheduled run could not be created; the DAG's schedule is halted until its file changes",
        );
        await setNextRun(tx, dag.dagId, null);
      }
    }
    return due.length;
  });
  for (const run of created) countCreated(metrics, run);
  return count;
}

/** null = somebody had made the run of this date. */
async function createOne(tx: Db, cache: DagCache, defaultExecutor: string, dag: DueDag): Promise<CreatedRun | null> {
  const { graph } = await cache.get(tx, dag.versionId);
  const { timetable } = graph.dag;
  const { now } = dag;
  const waiting: RunInstants = {
    logicalDate: dag.nextDagrun,
    dataIntervalStart: dag.dataIntervalStart,
    dataIntervalEnd: dag.dataIntervalEnd,
    runAfter: dag.createAfter,
  };
  const planned = timetable.type === "custom" ? await listPlannedRuns(tx, dag.dagId, dag.nextDagrun) : undefined;
  const query = { restriction: restrictionOf(graph.dag), now, planned };
  const run = dueRun(timetable, waiting, query);
  const request = { dagId: dag.dagId, ...run, runType: "scheduled" as const, triggeredBy: "timetable" as const };
  let created: CreatedRun | null = null;
  try {
    created = await createDagRun(tx, cache, defaultExecutor, request, now);
  } catch (error) {
    // Somebody ran this date by hand: the schedule goes on with the next one.
    if (!(error instanceof Error) || (error as { code?: string }).code !== "dag_run_exists") throw error;
  }
  await setNextRun(tx, dag.dagId, nextRun(timetable, { ...query, last: run }));
  return created;
}
