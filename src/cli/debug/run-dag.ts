/**
 * Runs a DAG in this process, one task at a time, by the scheduler's own rules (its picture of a run): trigger rules,
 * branches, retries and rescheduled sensors behave as on the platform. The states of a task here:
 * - waiting: the picture holds it back; `judge` makes it ready, or ends it without running it;
 * - ready: it may run; the first ready task in topological order runs next;
 * - later: a retry, a sensor's next poke or the continuation after a trigger, with its due time; then it is ready;
 * - deferred: its trigger runs in this process too, in parallel with other tasks; then it is later;
 * - ended: final.
 * Pools, limits and earlier runs (dependsOnPast) have no effect: there is only this run.
 */
import { randomUUID } from "node:crypto";
import type {
  DagRunFacts,
  DagRunState,
  JsonValue,
  MapFacts,
  Resume,
  SerializedDag,
  SerializedTask,
  TaskInstanceState,
} from "../../contracts/index.ts";
import { type Masker, sleep } from "../../platform/index.ts";
import {
  applyEvent,
  buildGraph,
  buildPicture,
  type Change,
  judge,
  judgeRun,
  type RunPicture,
  retryDelaySec,
  retryDue,
  tellLengths,
} from "../../scheduler/index.ts";
import type { DagDefinition } from "../../sdk/runtime.ts";
import { topologicalOrder } from "../../serialized/index.ts";
import { tasksWithoutRun } from "../../timetables/index.ts";
import { type LogRecord, runTask } from "../../worker/runner/index.ts";
import type { DebugInstance, DebugMemory } from "./memory-caller.ts";
import { runTriggerHere } from "./run-trigger.ts";

export type DebugRun = {
  definition: DagDefinition;
  dag: SerializedDag;
  dagRun: DagRunFacts;
  memory: DebugMemory;
  /** Knows the secrets that `memory` has answered. */
  masker: Masker;
  /** `taskId` null = the run itself. */
  /** `taskId` null = the run itself. A mapped task has its map index appended: "load[3]". */
  log(taskId: string | null, record: LogRecord): void;
  signal: AbortSignal;
  /** false: a retry starts at once. */
  hasRetryDelay: boolean;
  /** false: while a debugger is attached, a task may pause without limit. */
  hasTimeouts: boolean;
  xcomMaxBytes: number;
  maxMapLength: number;
};

export type DebugTask = {
  taskId: string;
  /** -1 = not mapped, or ended as a whole before it was expanded. */
  mapIndex: number;
  state: TaskInstanceState | null;
  tryNumber: number;
  startDate: string | null;
  endDate: string | null;
};
export type DebugResult = { state: Extract<DagRunState, "success" | "failed">; tasks: DebugTask[] };

type Standing = DebugTask & { facts: SerializedTask; looks: number; resume: Resume | null };
type Due = DebugInstance & { state: "up_for_retry" | "up_for_reschedule"; atMs: number };
/** A deferred task; resolves with its name when its trigger has ended. */
type Wait = Promise<string>;

export async function runDag(run: DebugRun): Promise<DebugResult> {
  const { dag, signal } = run;
  const left = tasksWithoutRun(dag, run.dagRun.logicalDate === null ? null : new Date(run.dagRun.logicalDate));
  const own = dag.tasks.filter(({ taskId }) => !left.has(taskId));
  const picture = buildPicture(
    buildGraph(dag),
    own.map(({ taskId }) => ({ taskId, mapIndex: -1, state: null })),
    0,
  );
  const tasks = new Map(own.map((facts) => [facts.taskId, facts]));
  const rank = new Map(topologicalOrder(dag).map((taskId, index) => [taskId, index]));
  const byRank = (a: DebugTask, b: DebugTask) => (rank.get(a.taskId) ?? 0) - (rank.get(b.taskId) ?? 0) || a.mapIndex - b.mapIndex;
  const standings = new Map<string, Standing>();
  const standingAt = (instance: DebugInstance) => {
    const name = nameOf(instance);
    const facts = tasks.get(instance.taskId);
    const standing = standings.get(name) ?? (facts && standingOf(facts, instance.mapIndex));
    if (standing) standings.set(name, standing);
    return standing;
  };
  const ready = new Map<string, Standing>();
  const later: Due[] = [];
  const waits = new Map<string, Wait>();
  const set = (instance: DebugInstance, state: TaskInstanceState, reason?: string) => {
    const standing = standingAt(instance);
    if (standing) standing.state = state;
    run.log(nameOf(instance), { level: "info", message: `→ ${state}${reason === undefined ? "" : `: ${reason}`}` });
  };

  while (!signal.aborted) {
    for (const { task, mapIndex, to, reason } of judgeAll(picture, run.memory)) {
      const instance = { taskId: picture.graph.tasks[task]?.taskId ?? "", mapIndex };
      const standing = standingAt(instance);
      if (to === "scheduled" && standing) ready.set(nameOf(instance), standing);
      else set(instance, to, reason);
    }
    const [standing] = [...ready.values()].sort(byRank);
    if (standing === undefined) {
      const makeReady = (name: string) => {
        const woken = standings.get(name);
        if (woken) ready.set(name, woken);
      };
      if (!(await wakeNext(picture, makeReady, later, waits, signal))) break;
      continue;
    }
    ready.delete(nameOf(standing));
    await runOne(run, standing, picture, (instance, state, due, wait) => {
      const isOwn = nameOf(instance) === nameOf(standing);
      // A branch affects only tasks that have not started.
      if (!isOwn && (standings.get(nameOf(instance))?.state ?? null) !== null) return;
      if (!applyEvent(picture, { ...instance, state })) return;
      ready.delete(nameOf(instance));
      set(instance, state);
      if (due) later.push(due);
      if (state === "deferred" && wait) waits.set(nameOf(instance), wait);
    });
  }
  const state = !signal.aborted && judgeRun(picture) === "success" ? "success" : "failed";
  for (const [task, instances] of picture.instances.entries()) {
    for (const mapIndex of instances.keys()) standingAt({ taskId: picture.graph.tasks[task]?.taskId ?? "", mapIndex });
  }
  const shown = [...standings.values()].sort(byRank);
  return { state, tasks: shown.map(({ facts: _facts, looks: _looks, resume: _resume, ...task }) => task) };
}

const nameOf = ({ taskId, mapIndex }: DebugInstance) => (mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`);

/** Decides about all tasks; expands mapped tasks by the results in memory. */
function judgeAll(picture: RunPicture, memory: DebugMemory): Change[] {
  const changes: Change[] = [];
  for (;;) {
    changes.push(...judge(picture, () => false).changes);
    if (picture.wanted.size === 0) return changes;
    tellLengths(picture, lengthsOf(picture, picture.wanted, memory));
  }
}

/** The number of elements of the results; results that cannot be mapped over are left out. */
function lengthsOf(picture: RunPicture, tasks: Iterable<number>, memory: DebugMemory): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const task of tasks) {
    const taskId = picture.graph.tasks[task]?.taskId ?? "";
    const values = memory.xcomsOf(taskId, "return_value");
    const list = picture.graph.mapped.has(task) ? values : values[0];
    if (typeof list === "object" && list !== null) lengths.set(taskId, Object.keys(list).length);
  }
  return lengths;
}

/** The facts about the results over which an instance is mapped; complete, since they are in memory. */
function mapFactsOf(picture: RunPicture, taskId: string, memory: DebugMemory): MapFacts | null {
  const mapped = picture.graph.mapped.get(picture.graph.indexOf.get(taskId) ?? -1);
  if (!mapped) return null;
  const lengths = [...lengthsOf(picture, mapped.sources, memory)].map(([source, length]) => ({ taskId: source, length }));
  const elements = mapped.sources.flatMap((source) => {
    const id = picture.graph.tasks[source]?.taskId ?? "";
    const values = memory.xcomsOf(id, "return_value");
    const list = picture.graph.mapped.has(source) ? values : values[0];
    const items: JsonValue[] = Array.isArray(list) ? list : typeof list === "object" && list !== null ? Object.entries(list) : [];
    return items.map((value, index) => ({ taskId: id, index, value }));
  });
  return { lengths, elements };
}

function standingOf(facts: SerializedTask, mapIndex: number): Standing {
  return {
    taskId: facts.taskId,
    mapIndex,
    state: null,
    tryNumber: 0,
    startDate: null,
    endDate: null,
    facts,
    looks: 0,
    resume: null,
  };
}

/** Waits for the earliest due task or a trigger, and makes its task ready; false if there is none. */
async function wakeNext(
  picture: RunPicture,
  makeReady: (name: string) => void,
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
    makeReady(fired);
    return true;
  }
  if (!due) return !signal.aborted;
  later.shift();
  retryDue(picture, due);
  makeReady(nameOf(due));
  return true;
}

type Report = (instance: DebugInstance, state: TaskInstanceState, due?: Due, wait?: Wait) => void;

/** One try, or one poke of a rescheduled sensor. */
async function runOne(run: DebugRun, standing: Standing, picture: RunPicture, report: Report): Promise<void> {
  const { taskId, mapIndex, facts } = standing;
  const instance = { taskId, mapIndex };
  const { memory } = run;
  const isLookAgain = standing.state === "up_for_reschedule" || standing.state === "deferred";
  if (!isLookAgain) {
    Object.assign(standing, { resume: null, tryNumber: standing.tryNumber + 1, looks: 0, startDate: new Date().toISOString() });
    memory.forgetXcoms(instance);
  }
  standing.state = "running";
  const log = (record: LogRecord) => run.log(nameOf(instance), record);
  const ti = { id: randomUUID(), mapIndex, tryNumber: standing.tryNumber };
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
      map: mapIndex < 0 ? null : mapFactsOf(picture, taskId, memory),
      maxMapLength: run.maxMapLength,
      xcomMaxBytes: run.xcomMaxBytes,
    },
    caller: memory.callerFor(instance, log),
    masker: run.masker,
    log,
    signal: run.signal,
    now: Date.now,
  });
  standing.endDate = new Date().toISOString();
  standing.resume = null;
  if ("xcoms" in outcome) for (const { key, value } of outcome.xcoms) memory.setXcom(instance, key, value);
  switch (outcome.state) {
    case "success":
      report(instance, "success");
      for (const skipped of outcome.skipTasks) {
        const targets = picture.instances[picture.graph.indexOf.get(skipped) ?? -1]?.keys() ?? [];
        for (const at of [...targets]) if (mapIndex < 0 || at === mapIndex) report({ taskId: skipped, mapIndex: at }, "skipped");
      }
      break;
    case "skipped":
      report(instance, "skipped");
      break;
    case "failed": {
      if (!hasRetries || !outcome.retryable || run.signal.aborted) {
        report(instance, "failed");
        break;
      }
      const waitSec = run.hasRetryDelay ? retryDelaySec(facts, standing.tryNumber, ti.id) : 0;
      log({ level: "info", message: `try ${standing.tryNumber + 1} of ${facts.retries + 1} starts in ${waitSec} s` });
      report(instance, "up_for_retry", { ...instance, state: "up_for_retry", atMs: Date.now() + waitSec * 1_000 });
      break;
    }
    case "deferred": {
      const waiting = runTriggerHere(run.definition, outcome, {
        task: { dagId: run.dagRun.dagId, runId: run.dagRun.runId, taskId, mapIndex, tryNumber: standing.tryNumber },
        call: (method, params) => memory.callerFor(instance, log).call(method, params),
        log,
        signal: run.signal,
        hasTimeouts: run.hasTimeouts,
      });
      const wait = waiting.then((resume) => {
        standing.resume = resume;
        return nameOf(instance);
      });
      report(instance, "deferred", undefined, wait);
      break;
    }
    case "up_for_reschedule":
      standing.looks += 1;
      report(instance, "up_for_reschedule", {
        ...instance,
        state: "up_for_reschedule",
        atMs: Date.parse(outcome.rescheduleDate),
      });
      break;
  }
  await runCallbacks();
}
