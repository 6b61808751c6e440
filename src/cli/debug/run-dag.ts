/**
 * Runs a DAG in this process, one task at a time, by the scheduler's own rules (its picture of a run): trigger rules,
 * branches, retries and rescheduled sensors end as they would on the platform. A task here is
 * - waiting, while the picture holds it; left when `judge` says so, for ready or for an end without running;
 * - ready: its upstreams let it go; the first one in topological order runs next;
 * - later: a retry, a sensor's next look or what a trigger told, with the moment it is due; left for ready;
 * - deferred: its trigger runs here too, beside the other tasks; left for later;
 * - ended, for good.
 * Pools, limits and earlier runs (dependsOnPast) hold nobody back: there is only this one run.
 */
import { randomUUID } from "node:crypto";
import type {
  DagRunFacts,
  DagRunState,
  Resume,
  SerializedDag,
  SerializedTask,
  TaskInstanceState,
} from "../../contracts/index.ts";
import { sleep } from "../../platform/index.ts";
import {
  applyEvent,
  buildGraph,
  buildPicture,
  judge,
  judgeRun,
  type RunPicture,
  retryDelaySec,
  retryDue,
} from "../../scheduler/index.ts";
import type { DagDefinition } from "../../sdk/runtime.ts";
import { topologicalOrder } from "../../serialized/index.ts";
import { type LogRecord, runTask } from "../../worker/runner/index.ts";
import type { DebugMemory } from "./memory-caller.ts";
import { runTriggerHere } from "./run-trigger.ts";

export type DebugRun = {
  definition: DagDefinition;
  dag: SerializedDag;
  dagRun: DagRunFacts;
  memory: DebugMemory;
  /** `taskId` null = the run itself. */
  log(taskId: string | null, record: LogRecord): void;
  signal: AbortSignal;
  /** false: a retry starts at once. */
  hasRetryDelay: boolean;
  /** false: while a debugger is attached, a task may stand still for ever. */
  hasTimeouts: boolean;
  xcomMaxBytes: number;
};

export type DebugTask = {
  taskId: string;
  state: TaskInstanceState | null;
  tryNumber: number;
  startDate: string | null;
  endDate: string | null;
};
export type DebugResult = { state: Extract<DagRunState, "success" | "failed">; tasks: DebugTask[] };

type Standing = DebugTask & { facts: SerializedTask; looks: number; resume: Resume | null };
type Due = { taskId: string; state: "up_for_retry" | "up_for_reschedule"; atMs: number };
/** A deferred task; resolves when its trigger has told how it goes on. */
type Wait = Promise<string>;

export async function runDag(run: DebugRun): Promise<DebugResult> {
  const { dag, signal } = run;
  const picture = buildPicture(
    buildGraph(dag),
    dag.tasks.map(({ taskId }) => ({ taskId, mapIndex: -1, state: null })),
    0,
  );
  const rank = new Map(topologicalOrder(dag).map((taskId, index) => [taskId, index]));
  const standings = new Map(dag.tasks.map((facts) => [facts.taskId, standingOf(facts)]));
  const ready = new Set<string>();
  const later: Due[] = [];
  const waits = new Map<string, Wait>();
  const set = (taskId: string, state: TaskInstanceState) => {
    const standing = standings.get(taskId);
    if (standing) standing.state = state;
    run.log(taskId, { level: "info", message: `→ ${state}` });
  };

  while (!signal.aborted) {
    for (const change of judge(picture, () => false)) {
      const taskId = picture.graph.tasks[change.task]?.taskId ?? "";
      if (change.to === "scheduled") ready.add(taskId);
      else set(taskId, change.to);
    }
    const taskId = [...ready].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0))[0];
    const standing = taskId === undefined ? undefined : standings.get(taskId);
    if (taskId === undefined || standing === undefined) {
      if (!(await wakeNext(picture, ready, later, waits, signal))) break;
      continue;
    }
    ready.delete(taskId);
    await runOne(run, standing, (id, state, due, wait) => {
      // A branch decides over what has not started, and over nothing else.
      if (id !== taskId && standings.get(id)?.state !== null) return;
      ready.delete(id);
      set(id, state);
      applyEvent(picture, { taskId: id, mapIndex: -1, state });
      if (due) later.push(due);
      if (state === "deferred" && wait) waits.set(id, wait);
    });
  }
  const state = !signal.aborted && judgeRun(picture) === "success" ? "success" : "failed";
  const tasks = [...standings.values()].sort((a, b) => (rank.get(a.taskId) ?? 0) - (rank.get(b.taskId) ?? 0));
  return { state, tasks: tasks.map(({ facts: _facts, looks: _looks, resume: _resume, ...task }) => task) };
}

function standingOf(facts: SerializedTask): Standing {
  return { taskId: facts.taskId, state: null, tryNumber: 0, startDate: null, endDate: null, facts, looks: 0, resume: null };
}

/** Waits for the earliest task that is due later, or a trigger, and makes its task ready; false if there is none. */
async function wakeNext(
  picture: RunPicture,
  ready: Set<string>,
  later: Due[],
  waits: Map<string, Wait>,
  signal: AbortSignal,
): Promise<boolean> {
  later.sort((a, b) => a.atMs - b.atMs);
  const [due] = later;
  if (!due && waits.size === 0) return false;
  const stop = new AbortController();
  const dueInMs = due ? Math.max(0, due.atMs - Date.now()) : 2 ** 31 - 1;
  const fired = await Promise.race([sleep(dueInMs, AbortSignal.any([signal, stop.signal])), ...waits.values()]);
  stop.abort();
  if (typeof fired === "string") {
    waits.delete(fired);
    ready.add(fired);
    return true;
  }
  if (!due) return !signal.aborted;
  later.shift();
  retryDue(picture, { taskId: due.taskId, mapIndex: -1, state: due.state });
  ready.add(due.taskId);
  return true;
}

type Report = (taskId: string, state: TaskInstanceState, due?: Due, wait?: Wait) => void;

/** One try, or one look of a rescheduled sensor. */
async function runOne(run: DebugRun, standing: Standing, report: Report): Promise<void> {
  const { taskId, facts } = standing;
  const { memory } = run;
  const isLookAgain = standing.state === "up_for_reschedule" || standing.state === "deferred";
  if (!isLookAgain) {
    Object.assign(standing, { resume: null, tryNumber: standing.tryNumber + 1, looks: 0, startDate: new Date().toISOString() });
    memory.forgetXcoms(taskId);
  }
  standing.state = "running";
  const log = (record: LogRecord) => run.log(taskId, record);
  const ti = { id: randomUUID(), mapIndex: -1, tryNumber: standing.tryNumber };
  const hasRetries = standing.tryNumber <= facts.retries;
  const { outcome, runCallbacks } = await runTask({
    dag: run.definition,
    taskId,
    ti,
    context: {
      dagRun: run.dagRun,
      maxTries: facts.retries,
      shouldRetry: hasRetries,
      taskRescheduleCount: standing.looks,
      startDate: standing.startDate ?? new Date().toISOString(),
      resume: standing.resume,
      executionTimeoutSec: run.hasTimeouts ? facts.executionTimeoutSec : null,
      inputs: [],
      xcomMaxBytes: run.xcomMaxBytes,
    },
    caller: memory.callerFor(taskId, log),
    log,
    signal: run.signal,
    now: Date.now,
  });
  standing.endDate = new Date().toISOString();
  standing.resume = null;
  if ("xcoms" in outcome) for (const { key, value } of outcome.xcoms) memory.setXcom(taskId, key, value);
  switch (outcome.state) {
    case "success":
      report(taskId, "success");
      for (const skipped of outcome.skipTasks) report(skipped, "skipped");
      break;
    case "skipped":
      report(taskId, "skipped");
      break;
    case "failed": {
      if (!hasRetries || !outcome.retryable || run.signal.aborted) {
        report(taskId, "failed");
        break;
      }
      const waitSec = run.hasRetryDelay ? retryDelaySec(facts, standing.tryNumber, ti.id) : 0;
      log({ level: "info", message: `try ${standing.tryNumber + 1} of ${facts.retries + 1} starts in ${waitSec} s` });
      report(taskId, "up_for_retry", { taskId, state: "up_for_retry", atMs: Date.now() + waitSec * 1_000 });
      break;
    }
    case "deferred": {
      const waiting = runTriggerHere(run.definition, outcome, {
        task: { dagId: run.dagRun.dagId, runId: run.dagRun.runId, taskId, mapIndex: -1, tryNumber: standing.tryNumber },
        call: (method, params) => memory.callerFor(taskId, log).call(method, params),
        log,
        signal: run.signal,
        hasTimeouts: run.hasTimeouts,
      });
      const wait = waiting.then((resume) => {
        standing.resume = resume;
        return taskId;
      });
      report(taskId, "deferred", undefined, wait);
      break;
    }
    case "up_for_reschedule":
      standing.looks += 1;
      report(taskId, "up_for_reschedule", { taskId, state: "up_for_reschedule", atMs: Date.parse(outcome.rescheduleDate) });
      break;
  }
  await runCallbacks();
}
