import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import {
  type PlanSeed,
  type SerializedDag,
  type SerializedTask,
  type TimetablePlan,
  WORKLOAD_MAX_BYTES,
} from "../../contracts/index.ts";
import type { DagFileStore, SaveDags, SaveImportError } from "../../dag-files/index.ts";
import { BaramError, toError } from "../../platform/index.ts";
import { isPoisoned } from "../../scheduler/index.ts";
import { canonicalJson } from "../../serialized/index.ts";
import {
  clearImportError,
  type Db,
  databaseNow,
  dropPlan,
  ensurePool,
  findDagFiles,
  findFilesToPlan,
  findPlanSeeds,
  forgetMissingFiles,
  isDataFault,
  lastScheduledRun,
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
  /** Bundles whose DAGs start active whatever the option says: the examples. */
  activeBundles: readonly string[];
  executors: readonly ConfiguredExecutor[];
  /** Why the named executor cannot run a task, as far as that is known beforehand, or null. */
  faultForExecutor(name: string, task: SerializedTask): string | null;
};

const compress = promisify(gzip);

/** The dag-processor's results in PostgreSQL; each method is one transaction. */
export function createSqlDagFileStore(store: Store, options: SqlDagFileStoreOptions): DagFileStore {
  const saveFault = async (save: SaveImportError): Promise<void> => {
    const { bundleName, relativePath, error } = save;
    await store.transaction(async (tx) => {
      await saveDagFile(tx, { ...save, moduleHash: null, source: null });
      const message = withoutNul(error.message);
      await saveImportError(tx, { bundleName, relativePath, ...error, message, stacktrace: withoutNul(error.detail ?? "") });
    });
  };
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
    async saveDags(save) {
      const fault = findExecutorFault(
        save.dags.map(({ dag }) => dag),
        options,
      );
      if (fault) throw new BaramError("dag_unsaved", fault);
      const code = await compress(save.module.code);
      const saving = store.transaction(async (tx) => {
        await saveModule(tx, { ...save.module, code });
        // In id order, so that two dag-processors that save the same DAGs cannot deadlock.
        const dags = [...save.dags].sort((a, b) => (a.dag.dagId < b.dag.dagId ? -1 : 1));
        for (const { dag, hash, plan } of dags) {
          const isPaused =
            dag.isPausedUponCreation ?? (options.pausedAtCreation && !options.activeBundles.includes(save.bundleName));
          const scheduleHash = hashSchedule(dag);
          const was = await saveDag(tx, {
            dag,
            bundleName: save.bundleName,
            relativePath: save.relativePath,
            timetableSummary: describe(dag.timetable),
            scheduleHash,
            isPaused,
          });
          await saveDagPools(tx, dag);
          await saveVersion(tx, { dag, dagHash: hash, moduleHash: save.module.hash });
          const now = await databaseNow(tx);
          if (plan) await replacePlan(tx, dag, plan, now);
          else if (was.oldTimetableType === "custom") await dropPlan(tx, dag.dagId);
          if (plan || was.oldScheduleHash !== scheduleHash || was.wasStale) await scheduleAnew(tx, dag, plan, now);
        }
        await staleOthers(
          tx,
          save.bundleName,
          save.relativePath,
          dags.map(({ dag }) => dag.dagId),
        );
        await clearImportError(tx, save.bundleName, save.relativePath);
        await saveDagFile(tx, { ...save, moduleHash: save.module.hash });
        await tx.query("select pg_notify('baram_scheduler', 'dag')");
      });
      await saving.catch((error) => {
        throw unsaved(error, save) ?? error;
      });
    },
    saveImportError: saveFault,
    deactivateMissing: (bundleName, present) => store.transaction((tx) => forgetMissingFiles(tx, bundleName, present)),
  };
}

/**
 * If the file's content is at fault, an import error, since the file would fail each time. null = the database or Baram is at
 * fault.
 */
function unsaved(error: unknown, { relativePath, dags }: SaveDags): BaramError | null {
  const ids = dags.map(({ dag }) => `"${dag.dagId}"`).join(", ");
  const what = `DAG ${ids.slice(0, 500)} of ${relativePath} cannot be saved`;
  if (isDataFault(error))
    return new BaramError("dag_unsaved", `${what}: the database refuses a value of it: ${toError(error).message}`, {}, error);
  return isPoisoned(error) ? new BaramError("dag_unsaved", `${what}: ${error.message}`, {}, error) : null;
}

/** PostgreSQL's text cannot hold the character, but the file's failure must be shown. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\\0");
}

/** As an id; with the longest of ids and half of a workload for executorConfig, the rest of it has room. */
const QUEUE_MAX_BYTES = 250;

/** Why the first task that its executor cannot run cannot be run, or null. Replaces executors' short names by full ones. */
function findExecutorFault(
  dags: readonly SerializedDag[],
  { executors: configured, faultForExecutor }: Pick<SqlDagFileStoreOptions, "executors" | "faultForExecutor">,
): string | null {
  for (const dag of dags) {
    for (const task of dag.tasks) {
      if (Buffer.byteLength(JSON.stringify(task.executorConfig)) > WORKLOAD_MAX_BYTES / 2) {
        return `DAG ${dag.dagId}, task ${task.taskId}: executorConfig is larger than ${WORKLOAD_MAX_BYTES / 2} bytes, more than a workload can carry`;
      }
      if (Buffer.byteLength(task.queue) > QUEUE_MAX_BYTES)
        return `DAG ${dag.dagId}, task ${task.taskId}: its queue's name is ${Buffer.byteLength(task.queue)} bytes long; ${QUEUE_MAX_BYTES} are allowed`;
      const resolved = task.executor === null ? (configured[0]?.name ?? null) : resolveExecutor(task.executor, configured);
      if (resolved === null) {
        return `DAG ${dag.dagId}, task ${task.taskId}: there is no executor "${task.executor}" here; [core] executor configures ${configured.map(spellExecutor).join(", ")}`;
      }
      const fault = faultForExecutor(resolved, task);
      if (fault !== null) return `DAG ${dag.dagId}, task ${task.taskId}, on ${resolved}: ${fault}`;
      if (task.executor !== null) task.executor = resolved;
    }
  }
  return null;
}

const HOUR_MS = 3_600_000;

/** Planned again when half of the plan is used up, by the clock or, in a catch-up, by the latest run. */
async function replacePlan(tx: Db, dag: SerializedDag, plan: TimetablePlan, now: Date): Promise<void> {
  const middle = plan.runs[Math.floor(plan.runs.length / 2)];
  await savePlan(tx, dag.dagId, {
    runs: plan.runs.map(({ manualInterval, ...run }) => ({
      ...toInstants(run),
      manualIntervalStart: manualInterval && new Date(manualInterval[0]),
      manualIntervalEnd: manualInterval && new Date(manualInterval[1]),
    })),
    // A timetable that has ended may yield runs again later; Airflow asks it at every parse.
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

/** Pools that every installation has. */
export async function ensureDefaultPool(db: Db, slots: number): Promise<void> {
  await ensurePool(db, "default_pool", slots, "The pool of tasks that name none");
}
