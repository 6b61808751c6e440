/**
 * From a backfill's dates to its runs. The dates were written when it was created; here each gets its run, or the reason why
 * not, batch by batch in the order of the dates. A batch is one transaction under the DAG's and then the backfill's lock, so
 * several that fill at once take turns, the schedule creates no run of the DAG in between, and a crash leaves whole batches.
 */
import type { BaramError } from "../../../platform/index.ts";
import {
  type BackfillFacts,
  clearInstances,
  completeBackfills,
  type Db,
  type FilledDate,
  findDag,
  findRunByLogicalDate,
  joinBackfill,
  lockBackfill,
  lockRunsOfDates,
  type NoRunReason,
  type OpenDate,
  openDates,
  type RunFacts,
  recordFilled,
  repinRun,
  restartRun,
  type Store,
} from "../../../store/index.ts";
import { createDagRun, pinnedTasks } from "../create-dag-run.ts";
import { type DagCache, isPoisoned } from "../dag-cache.ts";
import { reasonToLeave } from "./judge-date.ts";

export type BackfillResources = {
  readonly store: Store;
  readonly dags: DagCache;
  readonly defaultExecutor: string;
  /** Named points at which tests hold a race open. */
  readonly pause?: (point: "after-backfill-lock") => Promise<void>;
};

/** Chosen so that a batch takes some tens of milliseconds: meanwhile the DAG's other runs cannot start. */
const BATCH = 50;

/** Fills the backfill's open dates, `datesMax` at most, and completes it if none of them got a run. */
export async function fillBackfill(
  resources: BackfillResources,
  id: number,
  { now, datesMax = Number.POSITIVE_INFINITY, signal }: { now: Date; datesMax?: number; signal?: AbortSignal },
): Promise<void> {
  for (let filled = 0; filled < datesMax && !signal?.aborted; ) {
    const count = await fillBatch(resources, id, now);
    if (count === 0) break;
    filled += count;
  }
  await completeBackfills(resources.store, [id]);
}

async function fillBatch(resources: BackfillResources, id: number, now: Date): Promise<number> {
  return resources.store.transaction(async (tx) => {
    const backfill = await lockBackfill(tx, id);
    if (!backfill || backfill.completedAt) return 0;
    const dates = await openDates(tx, id, backfill.filledCount, BATCH);
    if (dates.length === 0) return 0;
    await resources.pause?.("after-backfill-lock");
    const locked = await lockRunsOfDates(
      tx,
      backfill.dagId,
      dates.map((date) => date.logicalDate),
    );
    const runs = new Map(locked.map((run) => [run.logicalDate?.getTime(), run]));
    const filled: FilledDate[] = [];
    for (const date of dates) {
      const run = runs.get(date.logicalDate.getTime());
      filled.push(run ? await runAgain(tx, resources, backfill, date, run) : await createNew(tx, resources, backfill, date, now));
    }
    await recordFilled(tx, id, filled);
    return dates.length;
  });
}

async function createNew(
  tx: Db,
  { dags, defaultExecutor }: BackfillResources,
  backfill: BackfillFacts,
  date: OpenDate,
  now: Date,
): Promise<FilledDate> {
  const { ordinal, ...instants } = date;
  try {
    const created = await createDagRun(
      tx,
      dags,
      defaultExecutor,
      {
        dagId: backfill.dagId,
        ...instants,
        runType: "backfill",
        triggeredBy: "backfill",
        triggeringUserName: backfill.triggeringUserName,
        conf: backfill.dagRunConf ?? {},
        backfill: { id: backfill.id, ordinal },
      },
      now,
    );
    return { ordinal, dagRunId: created.id, reason: null };
  } catch (error) {
    if (!isPoisoned(error)) throw error;
    return { ordinal, dagRunId: null, reason: await reasonOf(tx, error, backfill, date) };
  }
}

/** Either a run that was triggered for that date at this very moment, or a run id that another date's run has. */
async function reasonOf(tx: Db, error: BaramError, { dagId }: BackfillFacts, { logicalDate }: OpenDate): Promise<NoRunReason> {
  if (error.code !== "dag_run_exists") return "unknown";
  return (await findRunByLogicalDate(tx, dagId, logicalDate)) ? "in flight" : "unknown";
}

async function runAgain(
  tx: Db,
  resources: BackfillResources,
  backfill: BackfillFacts,
  { ordinal }: OpenDate,
  run: RunFacts,
): Promise<FilledDate> {
  const reason = reasonToLeave(run.state, backfill.reprocessBehavior);
  if (reason) return { ordinal, dagRunId: null, reason };
  await clearInstances(tx, run.id, null, null, `cleared by backfill ${backfill.id}`);
  const version = backfill.runOnLatestVersion ? await repinToVersion(tx, resources, run) : null;
  await joinBackfill(tx, { dagRunId: run.id, backfillId: backfill.id, ordinal, conf: backfill.dagRunConf, version });
  await restartRun(tx, run.id, true);
  return { ordinal, dagRunId: run.id, reason: null };
}

/** Moves a cleared run to its DAG's current version; null = it has that. */
export async function repinToVersion(
  tx: Db,
  { dags, defaultExecutor }: Pick<BackfillResources, "dags" | "defaultExecutor">,
  run: RunFacts,
) {
  const versionId = (await findDag(tx, run.dagId))?.versionId;
  if (!versionId || versionId === run.versionId) return null;
  const { graph } = await dags.get(tx, versionId);
  await repinRun(tx, run.id, versionId, pinnedTasks(graph, defaultExecutor, run.logicalDate));
  return { id: versionId, timeoutSec: graph.dag.dagrunTimeoutSec };
}
