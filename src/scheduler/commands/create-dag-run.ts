import { randomBytes, randomInt } from "node:crypto";
import { type DagRunTriggeredBy, type DagRunType, type JsonObject, NOTE_MAX, type SerializedDag } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { priorityWeights } from "../../serialized/index.ts";
import {
  createRun,
  type Db,
  findDag,
  findRun,
  findRunByLogicalDate,
  type NewInstance,
  type NewRun,
  type PinnedTask,
  plannedRunDueBy,
} from "../../store/index.ts";
import { type DataInterval, instantAt, manualRunInterval, runIdFor, tasksWithoutRun } from "../../timetables/index.ts";
import { type Graph, lengthFromStart } from "../core/graph.ts";
import { checkConf } from "./check-conf.ts";
import { checkInstant } from "./check-instant.ts";
import type { DagCache } from "./dag-cache.ts";

export type RunRequest = {
  dagId: string;
  /** Unset: made from the type and the date. */
  runId?: string | null;
  /**
   * Text is as a person writes it: without an offset it is local time of the DAG's zone, as in the three below. "now" is the
   * current moment, or one just before if that is taken; it is the default of a run by hand. null = no logical date, as by default
   * in Airflow 3.
   */
  logicalDate?: Date | string | null;
  dataIntervalStart?: Date | string | null;
  dataIntervalEnd?: Date | string | null;
  runAfter?: Date | string | null;
  runType?: DagRunType;
  triggeredBy: DagRunTriggeredBy;
  triggeringUserName?: string | null;
  conf?: JsonObject;
  note?: string | null;
  /** The backfill it is made for, and its place there. */
  backfill?: { id: number; ordinal: number } | null;
  /** Whether a run by hand may have a logical date to come; it waits for that date ([scheduler] allow_trigger_in_future). */
  mayBeInFuture?: boolean;
};

export type CreatedRun = {
  id: number;
  dagId: string;
  runId: string;
  /** The number of its task instances by operator. */
  instances: ReadonlyMap<string, number>;
};

/**
 * Creates a queued DAG run with all its task instances, pinned to the DAG's current version. Throws `dag_not_found`,
 * `dag_stale`, `conf_invalid`, `note_too_long`, `instant_invalid`, `instant_out_of_bounds`,
 * `data_interval_invalid`, `logical_date_in_future`, and `dag_run_exists` when the run id or the logical date is taken.
 */
export async function createDagRun(
  db: Db,
  cache: DagCache,
  defaultExecutor: string,
  request: RunRequest,
  now: Date,
): Promise<CreatedRun> {
  const { dagId } = request;
  const facts = await findDag(db, dagId);
  if (!facts?.versionId)
    throw new BaramError("dag_not_found", `There is no DAG "${dagId}". See "baram dags list" for the ones there are.`, { dagId });
  if (facts.isStale) {
    throw new BaramError(
      "dag_stale",
      `DAG "${dagId}" is no longer in its file ${facts.filename}, so it cannot be run. Put it back, or run another DAG.`,
      { dagId },
    );
  }
  const { graph } = await cache.get(db, facts.versionId);
  checkConf(graph.dag, request.conf ?? {});
  if (request.note && request.note.length > NOTE_MAX) {
    throw new BaramError(
      "note_too_long",
      `The note for the run of DAG "${dagId}" has ${request.note.length} characters; at most ${NOTE_MAX} are kept. Shorten it.`,
      { dagId, length: request.note.length },
    );
  }

  for (let attempt = 0; ; attempt++) {
    const run = await planRun(db, graph, request, now, attempt);
    const instances = newInstances(graph, defaultExecutor, run.logicalDate);
    const created = await createRun(db, { ...run, versionId: facts.versionId }, instances);
    if (created) return { id: created.id, dagId, runId: run.runId, instances: countByOperator(instances) };
    const isOwnIdTaken = request.runId && (await findRun(db, dagId, request.runId));
    if (request.logicalDate !== NOW || isOwnIdTaken || attempt >= ATTEMPTS_MAX)
      throw await explainConflict(db, dagId, run.runId, run.logicalDate);
  }
}

/** The logical date of a run by hand that was given none. */
const NOW = "now";
/** The last attempts look back over a second: only that many runs triggered within that second could use them up. */
const ATTEMPTS_MAX = 30;

/**
 * A moment that is likely free: now, or further in the past with each failed attempt. Never a whole second, which the DAG's
 * schedule may need.
 */
function freeMoment(now: Date, attempt: number): Date {
  const back = attempt === 0 ? 0 : randomInt(1, 2 ** Math.min(attempt + 1, 10));
  const ms = now.getTime() - back;
  return new Date(ms % 1_000 === 0 ? ms - 1 : ms);
}

async function planRun(
  db: Db,
  { dag }: Graph,
  request: RunRequest,
  now: Date,
  attempt: number,
): Promise<Omit<NewRun, "versionId">> {
  const { dagId } = request;
  const runType = request.runType ?? "manual";
  const read = (what: string, given: Date | string | null | undefined) => {
    const instant = given ? instantAt(given, dag.timezone) : null;
    checkInstant(dagId, what, instant);
    return instant;
  };
  const logicalDate = request.logicalDate === NOW ? freeMoment(now, attempt) : read("the logical date", request.logicalDate);
  if (logicalDate && logicalDate > now && runType === "manual" && !request.mayBeInFuture) throw inFuture(dagId, logicalDate, now);
  const runAfter = laterOf(read("run_after", request.runAfter) ?? logicalDate ?? now, runType === "manual" ? logicalDate : null);
  const given = {
    start: read("data_interval_start", request.dataIntervalStart),
    end: read("data_interval_end", request.dataIntervalEnd),
  };
  if (given.start && given.end && given.end < given.start) throw endsBeforeItStarts(dagId, given.start, given.end);
  const interval = logicalDate && !given.start ? await intervalOf(db, dag, logicalDate) : null;
  // Runs without a date, and runs that wait for another moment than their date, may share that moment.
  const suffix = logicalDate && !(request.logicalDate === NOW && request.runAfter) ? undefined : randomBytes(4).toString("hex");
  return {
    dagId,
    runId: request.runId ?? runIdFor(runType, runAfter, suffix),
    logicalDate,
    dataIntervalStart: given.start ?? interval?.dataIntervalStart ?? null,
    dataIntervalEnd: given.end ?? interval?.dataIntervalEnd ?? null,
    runAfter,
    runType,
    triggeredBy: request.triggeredBy,
    triggeringUserName: request.triggeringUserName ?? null,
    conf: request.conf ?? {},
    note: request.note ?? null,
    timeoutSec: dag.dagrunTimeoutSec,
    backfill: request.backfill ?? null,
  };
}

function endsBeforeItStarts(dagId: string, start: Date, end: Date): BaramError {
  return new BaramError(
    "data_interval_invalid",
    `The data interval ends (${end.toISOString()}) before it starts (${start.toISOString()}). Swap data_interval_start and data_interval_end.`,
    { dagId },
  );
}

function inFuture(dagId: string, logicalDate: Date, now: Date): BaramError {
  const date = logicalDate.toISOString();
  return new BaramError(
    "logical_date_in_future",
    `The logical date ${date} is in the future (it is ${now.toISOString()}), and [scheduler] allow_trigger_in_future is off. Choose a date that has come, or switch the option on: then the run waits for its date.`,
    { dagId, logicalDate: date },
  );
}

/** A run cannot start before its given date, whatever run_after says. */
function laterOf(instant: Date, bound: Date | null): Date {
  return bound !== null && bound > instant ? bound : instant;
}

async function intervalOf(db: Db, { dagId, timetable }: SerializedDag, logicalDate: Date): Promise<DataInterval> {
  if (timetable.type !== "custom") return manualRunInterval(timetable, logicalDate);
  const row = await plannedRunDueBy(db, dagId, logicalDate);
  const { manualIntervalStart: start, manualIntervalEnd: end } = row ?? {};
  const manualInterval = start && end ? { dataIntervalStart: start, dataIntervalEnd: end } : null;
  return manualRunInterval(timetable, logicalDate, row && { ...row, manualInterval });
}

async function explainConflict(db: Db, dagId: string, runId: string, logicalDate: Date | null): Promise<BaramError> {
  if (await findRun(db, dagId, runId)) {
    return new BaramError(
      "dag_run_exists",
      `DAG "${dagId}" already has a run with id "${runId}". Choose another run id, or clear that run.`,
      { dagId, runId },
    );
  }
  const other = logicalDate && (await findRunByLogicalDate(db, dagId, logicalDate));
  const date = logicalDate?.toISOString();
  return new BaramError(
    "dag_run_exists",
    `DAG "${dagId}" already has a run for the logical date ${date}${other ? `: "${other.runId}"` : ""}. Choose another date, or clear that run.`,
    { dagId, runId: other?.runId ?? runId, logicalDate: date },
  );
}

function countByOperator(instances: readonly NewInstance[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { task } of instances) counts.set(task.operator, (counts.get(task.operator) ?? 0) + 1);
  return counts;
}

const instancesOf = new WeakMap<Graph, { executor: string; instances: NewInstance[] }>();

/** The task instances of a new run of this version: of every task whose own dates its logical date lies within. */
function newInstances(graph: Graph, defaultExecutor: string, logicalDate: Date | null): NewInstance[] {
  const all = allInstances(graph, defaultExecutor);
  const left = tasksWithoutRun(graph.dag, logicalDate);
  return left.size === 0 ? all : all.filter(({ task }) => !left.has(task.taskId));
}

function allInstances(graph: Graph, defaultExecutor: string): NewInstance[] {
  const known = instancesOf.get(graph);
  if (known?.executor === defaultExecutor) return known.instances;
  const weights = priorityWeights(graph.dag);
  const instances = graph.tasks.flatMap((task, number) => {
    const priorityWeight = weights.get(task.taskId) ?? task.priorityWeight;
    const facts = { task, executor: task.executor ?? defaultExecutor, priorityWeight };
    // The lengths of literal lists are known; a task over an empty list gets one instance, which will be skipped.
    const length = lengthFromStart(graph, number) ?? 0;
    if (length === 0) return [{ ...facts, mapIndex: -1 }];
    return Array.from({ length }, (_, mapIndex) => ({ ...facts, mapIndex }));
  });
  instancesOf.set(graph, { executor: defaultExecutor, instances });
  return instances;
}

/** One instance per task, for a run of this logical date that is moved to this version. */
export function pinnedTasks(graph: Graph, defaultExecutor: string, logicalDate: Date | null): PinnedTask[] {
  return newInstances(graph, defaultExecutor, logicalDate)
    .filter(({ mapIndex }) => mapIndex <= 0)
    .map((one) => ({ ...one, isMapped: graph.mapped.has(graph.indexOf.get(one.task.taskId) ?? -1) }));
}
