import { toError } from "../platform/index.ts";
import {
  type AsideKey,
  type Db,
  type DueDag,
  findPlannedRuns,
  inSavepoint,
  lockDueDag,
  lockDueDags,
  setNextRun,
  takeSetAside,
} from "../store/index.ts";
import { dueRun, nextRun, type RunInstants, restrictionOf } from "../timetables/index.ts";
import { type CreatedRun, createDagRun, tellCreated } from "./commands/index.ts";
import { isOnesFault, setFaultsAside } from "./culprits.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Creates the due runs, one per DAG and pass, and sets when each DAG's next one is due. Returns how many. */
export async function createScheduledRuns(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { store } = resources;
  const created: CreatedRun[] = [];
  const count = await store.transaction(async (tx) => {
    created.length = 0;
    const faults: (AsideKey & { error: Error })[] = [];
    const due = await lockDueDags(tx, options.maxRunsToCreate);
    if (due.length > 0) await resources.pause("after-due-dags");
    for (const dag of due) {
      try {
        const run = await inSavepoint(tx, () => createOne(tx, resources, dag));
        if (run) created.push(run);
      } catch (error) {
        if (!isOnesFault(error)) throw error;
        faults.push({ kind: "schedule", subject: dag.dagId, error: toError(error) });
      }
    }
    await setFaultsAside(resources, options, faults, tx);
    return due.length;
  });
  for (const run of created) tellCreated(resources, run);
  return count;
}

/**
 * Creates the due run of a DAG whose schedule was set aside, and restores the schedule. false = it is gone, or another scheduler is
 * trying it.
 */
export async function createSetAsideRun(resources: SchedulerResources, key: AsideKey): Promise<boolean> {
  const created: CreatedRun[] = [];
  const isTaken = await resources.store.transaction(async (tx) => {
    created.length = 0;
    if (!(await takeSetAside(tx, key))) return false;
    for (const dag of await lockDueDag(tx, key.subject)) {
      const run = await createOne(tx, resources, dag);
      if (run) created.push(run);
    }
    return true;
  });
  for (const run of created) tellCreated(resources, run);
  return isTaken;
}

/** null = the run of this date already exists. */
async function createOne(tx: Db, { dags: cache, executors }: SchedulerResources, dag: DueDag): Promise<CreatedRun | null> {
  const defaultExecutor = [...executors.keys()][0] ?? "";
  const { graph } = await cache.get(tx, dag.versionId);
  const { timetable } = graph.dag;
  const { now } = dag;
  const waiting: RunInstants = {
    logicalDate: dag.nextDagrun,
    dataIntervalStart: dag.dataIntervalStart,
    dataIntervalEnd: dag.dataIntervalEnd,
    runAfter: dag.createAfter,
  };
  const planned = timetable.type === "custom" ? await findPlannedRuns(tx, dag.dagId, dag.nextDagrun) : undefined;
  const query = { restriction: restrictionOf(graph.dag), now, planned };
  const run = dueRun(timetable, waiting, query);
  const request = { dagId: dag.dagId, ...run, runType: "scheduled" as const, triggeredBy: "timetable" as const };
  let created: CreatedRun | null = null;
  try {
    created = await createDagRun(tx, cache, defaultExecutor, request, now);
  } catch (error) {
    // This date was run by hand: the schedule goes on with the next one.
    if (!(error instanceof Error) || (error as { code?: string }).code !== "dag_run_exists") throw error;
  }
  await setNextRun(tx, dag.dagId, nextRun(timetable, { ...query, last: run }));
  return created;
}
