import { createHash, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import {
  type PlanSeed,
  type SerializedDag,
  type SerializedTask,
  type TimetablePlan,
  WORKLOAD_MAX_BYTES,
} from "../../contracts/index.ts";
import type { DagFileStore, SaveDags, SaveOutcome } from "../../dag-files/index.ts";
import { BaramError, toError } from "../../platform/index.ts";
import { isPoisoned } from "../../scheduler/index.ts";
import { canonicalJson } from "../../serialized/index.ts";
import {
  clearImportError,
  type Db,
  databaseNow,
  dropOldListings,
  dropPlan,
  endListings,
  ensurePool,
  findDagFiles,
  findFilesToLoad,
  findFilesToPlan,
  findOwner,
  findPlanSeeds,
  forgetMissingFiles,
  isDataFault,
  keepListing,
  lastScheduledRun,
  lockDagsToSave,
  lockForgetting,
  markMissingFiles,
  type PlannedRunRow,
  type Store,
  saveDag,
  saveDagFile,
  saveDagPools,
  saveImportError,
  saveModule,
  savePlan,
  saveVersion,
  setNextRun,
  staleOthers,
} from "../../store/index.ts";
import { describe, nextRun, restrictionOf } from "../../timetables/index.ts";
import { type ConfiguredExecutor, resolveExecutor, spellExecutor } from "../executors.ts";

export type SqlDagFileStoreOptions = {
  pausedAtCreation: boolean;
  /** Bundles whose new DAGs are active whatever the option is: the examples. */
  activeBundles: readonly string[];
  executors: readonly ConfiguredExecutor[];
  /** The reason why the named executor cannot run a task, if it is known in advance, or null. */
  faultForExecutor(name: string, task: SerializedTask, dagId: string): string | null;
  /** How long no dag-processor has had a file before its DAGs become stale, unless one saw its deletion. Default 50. */
  staleDagThresholdSec?: number;
  /**
   * Maximum time between two scans. A dag-processor that is silent for longer than this plus the threshold counts as dead.
   * Default 30.
   */
  refreshIntervalSec?: number;
};

/**
 * Another process may create a row of the same DAG in between; the next attempt sees it. So every further attempt needs another
 * such race.
 */
const RACES_MAX = 5;

const compress = promisify(gzip);

/** Stores the results of one dag-processor in PostgreSQL; each method is one transaction. */
export function createSqlDagFileStore(store: Store, options: SqlDagFileStoreOptions): DagFileStore {
  const processorId = randomUUID();
  const thresholdSec = options.staleDagThresholdSec ?? 50;
  const validForSec = (options.refreshIntervalSec ?? 30) + thresholdSec;
  let hasListed = false;

  return {
    knownFiles: (bundleNames) => findDagFiles(store, bundleNames),
    filesToPlan: (bundleNames) => findFilesToPlan(store, bundleNames),
    async planSeeds({ bundleName, relativePath }) {
      const rows = await findPlanSeeds(store, bundleName, relativePath);
      const seeds: Record<string, PlanSeed> = Object.create(null);
      for (const row of rows.last) seeds[row.dagId] = { last: toPastRun(row), passed: null };
      for (const row of rows.passed) seeds[row.dagId] = { last: seeds[row.dagId]?.last ?? null, passed: toPastRun(row) };
      return seeds;
    },
    async listFiles({ bundleName, files, gone }, build) {
      if (!hasListed) await dropOldListings(store);
      hasListed = true;
      const found = await store.transaction(async (tx) => {
        await keepListing(tx, { processorId, bundleName, validForSec }, files);
        if (files === null) return { forgotten: [], toLoad: [] };
        if (gone.length > 0) await lockForgetting(tx, bundleName);
        const missing = await markMissingFiles(tx, bundleName);
        const forgotten = missing === 0 ? [] : await forgetMissingFiles(tx, bundleName, { forSec: thresholdSec, gone });
        return { forgotten, toLoad: await findFilesToLoad(tx, processorId, bundleName, build) };
      });
      return { ...found, toLoad: found.toLoad.map((relativePath) => ({ bundleName, relativePath })) };
    },
    endListings: () => endListings(store, processorId),
    async saveDags(save) {
      const fault = findExecutorFault(
        save.dags.map(({ dag }) => dag),
        options,
      );
      if (fault) throw new BaramError("dag_unsaved", fault);
      const code = await compress(save.module.code);
      try {
        for (let race = 1; ; race++) {
          const outcome = await saveOnce(store, save, code, options);
          if (outcome.type !== "raced") return outcome;
          if (race === RACES_MAX)
            throw new Error(`DAG "${outcome.dagId}" was created by other processes ${race} times while it was being saved`);
        }
      } catch (error) {
        throw unsaved(error, save) ?? error;
      }
    },
    saveImportError: (save) =>
      store.transaction(async (tx) => {
        const { bundleName, relativePath, error, waitsFor } = save;
        if (!(await saveDagFile(tx, { ...save, good: null, waitsFor: waitsFor === null ? [] : [waitsFor] }))) return false;
        const message = withoutNul(error.message);
        await saveImportError(tx, { bundleName, relativePath, ...error, message, stacktrace: withoutNul(error.detail ?? "") });
        return true;
      }),
  };
}

type Attempt = SaveOutcome | { type: "raced"; dagId: string };

/** Rolls back if it saved nothing, or only a part. */
async function saveOnce(store: Store, save: SaveDags, code: Buffer, options: SqlDagFileStoreOptions): Promise<Attempt> {
  const undo = new Error("rolled back on purpose");
  let attempt: Attempt = { type: "left" };
  await store
    .transaction(async (tx) => {
      attempt = await writeDags(tx, save, code, options);
      if (attempt.type !== "saved") throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
  return attempt;
}

/** Locks the file's row first, then the rows of its DAGs. */
async function writeDags(tx: Db, save: SaveDags, code: Buffer, options: SqlDagFileStoreOptions): Promise<Attempt> {
  const { bundleName, relativePath, takeFrom } = save;
  // In the order of their ids, so that two dag-processors that save the same DAGs cannot deadlock.
  const dags = [...save.dags].sort((a, b) => (a.dag.dagId < b.dag.dagId ? -1 : 1));
  const dagIds = dags.map(({ dag }) => dag.dagId);
  await saveModule(tx, { ...save.module, code });
  const good = { moduleHash: save.module.hash, source: save.source, dagIds };
  if (!(await saveDagFile(tx, { ...save, good, waitsFor: [] }))) return { type: "left" };
  const locked = await lockDagsToSave(tx, save, dagIds);
  const created = dagIds.filter((dagId) => !locked.has(dagId));
  for (const { dag, hash, plan } of dags) {
    const isPaused = dag.isPausedUponCreation ?? (options.pausedAtCreation && !options.activeBundles.includes(bundleName));
    const scheduleHash = hashSchedule(dag);
    const isLocked = locked.has(dag.dagId);
    const timetableSummary = describe(dag.timetable);
    const was = await saveDag(tx, {
      dag,
      bundleName,
      relativePath,
      timetableSummary,
      scheduleHash,
      isPaused,
      isLocked,
      takeFrom,
    });
    if (was === null) {
      const owner = isLocked ? await findOwner(tx, dag.dagId) : null;
      return owner ? { type: "taken", dagId: dag.dagId, owner } : { type: "raced", dagId: dag.dagId };
    }
    await saveDagPools(tx, dag);
    await saveVersion(tx, { dag, dagHash: hash, moduleHash: save.module.hash });
    const now = await databaseNow(tx);
    if (plan) await replacePlan(tx, dag, plan, now);
    else if (was.oldTimetableType === "custom") await dropPlan(tx, dag.dagId);
    if (plan || was.oldScheduleHash !== scheduleHash || was.wasStale) await scheduleAnew(tx, dag, plan, now);
  }
  const released = await staleOthers(tx, save, dagIds);
  await clearImportError(tx, bundleName, relativePath);
  await tx.query("select pg_notify('baram_scheduler', 'dag')");
  return { type: "saved", created, released };
}

/**
 * An import error if the file's content is at fault, since the file would fail each time. null = the database or Baram is at
 * fault.
 */
function unsaved(error: unknown, { relativePath, dags }: SaveDags): BaramError | null {
  const ids = dags.map(({ dag }) => `"${dag.dagId}"`).join(", ");
  const what = `DAG ${ids.slice(0, 500)} of ${relativePath} cannot be saved`;
  if (isDataFault(error))
    return new BaramError("dag_unsaved", `${what}: the database refuses a value of it: ${toError(error).message}`, {}, error);
  return isPoisoned(error) ? new BaramError("dag_unsaved", `${what}: ${error.message}`, {}, error) : null;
}

/** PostgreSQL's text cannot contain the character, but the file's error must be shown. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\\0");
}

/**
 * As long as an id. With ids of the maximum length and half of a workload for executorConfig, the rest of the workload still
 * fits.
 */
const QUEUE_MAX_BYTES = 250;

/** Workers name their queues in a list, separated by commas, and brokers take a name as UTF-8. */
function faultOfQueue(queue: string): string | null {
  const sizeBytes = Buffer.byteLength(queue);
  if (sizeBytes > QUEUE_MAX_BYTES) return `its queue's name is ${sizeBytes} bytes long; ${QUEUE_MAX_BYTES} are allowed`;
  if (queue !== "" && queue === queue.trim() && !/[\p{Cc}\p{Cs},]/u.test(queue)) return null;
  return `its queue's name is ${JSON.stringify(queue)}; a name is not empty, has no comma and no control character, and neither begins nor ends with a space`;
}

/** The reason why the first task with an executor fault cannot run, or null. Replaces short names of executors by full ones. */
function findExecutorFault(
  dags: readonly SerializedDag[],
  { executors: configured, faultForExecutor }: Pick<SqlDagFileStoreOptions, "executors" | "faultForExecutor">,
): string | null {
  for (const dag of dags) {
    for (const task of dag.tasks) {
      if (Buffer.byteLength(JSON.stringify(task.executorConfig)) > WORKLOAD_MAX_BYTES / 2) {
        return `DAG ${dag.dagId}, task ${task.taskId}: executorConfig is larger than ${WORKLOAD_MAX_BYTES / 2} bytes, more than a workload can carry`;
      }
      const ofQueue = faultOfQueue(task.queue);
      if (ofQueue !== null) return `DAG ${dag.dagId}, task ${task.taskId}: ${ofQueue}`;
      const resolved = task.executor === null ? (configured[0]?.name ?? null) : resolveExecutor(task.executor, configured);
      if (resolved === null) {
        return `DAG ${dag.dagId}, task ${task.taskId}: there is no executor "${task.executor}" here; [core] executor configures ${configured.map(spellExecutor).join(", ")}`;
      }
      const fault = faultForExecutor(resolved, task, dag.dagId);
      if (fault !== null) return `DAG ${dag.dagId}, task ${task.taskId}, on ${resolved}: ${fault}`;
      if (task.executor !== null) task.executor = resolved;
    }
  }
  return null;
}

const HOUR_MS = 3_600_000;

/** Planned again when half of the plan is used up, by the clock or, during a catch-up, by the latest run. */
async function replacePlan(tx: Db, dag: SerializedDag, plan: TimetablePlan, now: Date): Promise<void> {
  const middle = plan.runs[Math.floor(plan.runs.length / 2)];
  await savePlan(tx, dag.dagId, {
    runs: plan.runs.map(({ manualInterval, ...run }) => ({
      ...toInstants(run),
      manualIntervalStart: manualInterval && new Date(manualInterval[0]),
      manualIntervalEnd: manualInterval && new Date(manualInterval[1]),
    })),
    // A timetable that has ended may return runs again later; Airflow calls it at every parse.
    refreshAt: plan.hasEnded || !middle ? new Date(now.getTime() + HOUR_MS) : new Date(middle.runAfter),
    byClock: plan.hasEnded || !dag.catchup,
  });
}

/** The next due date follows from the last scheduled run, so that an edit of the schedule neither repeats nor skips a date. */
async function scheduleAnew(tx: Db, dag: SerializedDag, plan: TimetablePlan | null, now: Date): Promise<void> {
  const last = await lastScheduledRun(tx, dag.dagId);
  const planned = plan?.runs.map(toInstants);
  await setNextRun(tx, dag.dagId, nextRun(dag.timetable, { last, restriction: restrictionOf(dag), now, planned }));
}

type PastRun = NonNullable<PlanSeed["last"]>;

function toInstants({ logicalDate, dataInterval: [start, end], runAfter }: PastRun): PlannedRunRow {
  return {
    logicalDate: new Date(logicalDate),
    dataIntervalStart: new Date(start),
    dataIntervalEnd: new Date(end),
    runAfter: new Date(runAfter),
  };
}

function toPastRun(row: PlannedRunRow): PastRun {
  return {
    logicalDate: row.logicalDate.getTime(),
    dataInterval: [row.dataIntervalStart.getTime(), row.dataIntervalEnd.getTime()],
    runAfter: row.runAfter.getTime(),
  };
}

function hashSchedule(dag: SerializedDag): string {
  const { timetable, startDate, endDate, catchup, timezone } = dag;
  const tasks = dag.tasks.map((task) => [task.startDate, task.endDate]).filter(([start, end]) => start || end);
  return createHash("sha256").update(canonicalJson({ timetable, startDate, endDate, catchup, timezone, tasks })).digest("hex");
}

/** Creates the pool that every installation has. */
export async function ensureDefaultPool(db: Db, slots: number): Promise<void> {
  await ensurePool(db, "default_pool", slots, "The pool of tasks that name none");
}
