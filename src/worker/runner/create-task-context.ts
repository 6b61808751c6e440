import { inspect } from "node:util";
import {
  type JsonValue,
  type Outcome,
  SKIP_DECISION_KEY,
  SKIP_TASKS_MAX,
  type SkipDecisionRecord,
} from "../../contracts/index.ts";
import { sleep } from "../../platform/index.ts";
import type { DagDefinition, TaskContext } from "../../sdk/index.ts";
import { durationToSeconds, mappingFactsOf, RETURN_VALUE_KEY, type TaskNode } from "../../sdk/runtime.ts";
import type { RunnerContext } from "../wire/index.ts";
import { createPlatformPart } from "./create-context.ts";
import type { LogSink, RunnerCaller } from "./runner-caller.ts";
import { TaskAbortedError, XComValueError } from "./task-failure.ts";
import { createXComReader } from "./xcom-reader.ts";
import { checkOutputs, checkXComKey, toXComValue } from "./xcom-value.ts";

/** Facts of the try that are not in its `RunContext`. */
export type TryFacts = {
  /** The try's own id. */
  id: string;
  mapIndex: number;
  tryNumber: number;
};

/** A task's decision about downstream tasks, by `ctx.skipTasks`. */
export type SkipDecision = { skipTasks: string[]; record: SkipDecisionRecord | null };

export function createTaskContext(input: {
  dag: DagDefinition;
  node: TaskNode;
  ti: TryFacts;
  context: RunnerContext;
  caller: RunnerCaller;
  log: LogSink;
  signal: AbortSignal;
  now: () => number;
}): { ctx: TaskContext; decision: SkipDecision } {
  const { dag, node, ti, context, caller, signal } = input;
  const { dagRun } = context;
  const platformPart = createPlatformPart({ dag, dagRun, caller, log: input.log, signal });
  const taskFacts = platformPart.dag.task(node.taskId);
  if (taskFacts === undefined) throw new Error(`DAG ${dag.dagId} has no task ${node.taskId}`);
  const read = createXComReader({ dag, taskId: node.taskId, mapIndex: ti.mapIndex }, context, caller);
  const pull = (async (taskIds, options) => {
    if (typeof taskIds === "string") return read(taskIds, options);
    if (Array.isArray(taskIds) && taskIds.every((one) => typeof one === "string"))
      return Promise.all(taskIds.map((taskId: string) => read(taskId, options)));
    const got = inspect(taskIds, { depth: 1, breakLength: Number.POSITIVE_INFINITY }).slice(0, 200);
    throw new TypeError(
      `xcom.pull takes a task id or a list of task ids, and then options, as in pull("extract", { key: "rows" }); it got ${got}`,
    );
  }) as TaskContext["xcom"]["pull"];
  const push = async (key: string, value: unknown) => {
    checkXComKey("an XCom's key", key);
    await caller.call("setXcom", { key, value: toXComValue(`XCom "${key}"`, value, context.xcomMaxBytes) });
  };
  const decision: SkipDecision = { skipTasks: [], record: null };
  const ctx: TaskContext = {
    ...platformPart,
    resumed: context.resume ? { event: context.resume.event, kwargs: context.resume.kwargs } : null,
    task: taskFacts,
    xcom: { pull, push },
    ti: {
      ...ti,
      dagId: dagRun.dagId,
      runId: dagRun.runId,
      taskId: node.taskId,
      maxTries: context.maxTries,
      startDate: new Date(context.startDate),
      xcomPull: pull,
      xcomPush: push,
    },
    dags: createDagsAccess(caller),
    now: () => new Date(input.now()),
    async sleep(duration) {
      await sleep(durationToSeconds("ctx.sleep()", duration) * 1000, signal);
      if (signal.aborted) throw signal.reason instanceof Error ? signal.reason : new TaskAbortedError();
    },
    skipTasks(taskIds, followed) {
      const unknown = taskIds.find((taskId) => platformPart.dag.task(taskId) === undefined);
      if (unknown !== undefined) throw new Error(`ctx.skipTasks(): DAG ${dag.dagId} has no task "${unknown}"`);
      if (taskIds.length > SKIP_TASKS_MAX)
        throw new Error(`ctx.skipTasks(): ${taskIds.length} tasks cannot be skipped at once; ${SKIP_TASKS_MAX} are allowed`);
      decision.skipTasks = [...new Set(taskIds)].sort();
      decision.record = followed === undefined ? { skipped: decision.skipTasks } : { followed: [...new Set(followed)].sort() };
    },
  };
  return { ctx, decision };
}

function createDagsAccess(caller: RunnerCaller): TaskContext["dags"] {
  return {
    trigger({ dagId, runId = null, logicalDate = "now", conf = {}, resetDagRun = false, note = null }) {
      const date = logicalDate instanceof Date ? logicalDate.toISOString() : logicalDate;
      return caller.call("triggerDagRun", { dagId, runId, logicalDate: date, conf, resetDagRun, note });
    },
    async runState(dagId, runId) {
      return (await caller.call("getDagRunState", { dagId, runId }))?.state ?? null;
    },
    async nextRunAfter(dagId, runId) {
      const runAfter = (await caller.call("getNextRunAfter", { dagId, runId }))?.runAfter ?? null;
      return runAfter === null ? null : new Date(runAfter);
    },
    taskStates: (request) => caller.call("getTaskStates", request),
  };
}

type Success = Extract<Outcome, { state: "success" }>;

/**
 * The length of the result if other tasks are mapped over it, else undefined. @throws XComValueError if it cannot be mapped over:
 * neither a list nor an object, or too long.
 */
export function outcomeLength(
  dag: DagDefinition,
  node: TaskNode,
  xcoms: Success["xcoms"],
  context: { maxMapLength: number },
): number | undefined {
  const mapping = mappingFactsOf(dag);
  if (!mapping.isMappedOver(node.taskId)) return undefined;
  const returned = xcoms.find(({ key }) => key === RETURN_VALUE_KEY);
  // A mapped task's list is collected from its instances' results, so each result may be of any type.
  if (mapping.mappingOf(node.taskId) !== null) return returned === undefined ? undefined : 1;
  const where = `other tasks are mapped over the result of task ${node.taskId}, `;
  if (returned === undefined) {
    throw new XComValueError(`${where}but it returned nothing: return a list or an object, an empty one to skip them`, {});
  }
  const { value } = returned;
  if (typeof value !== "object" || value === null) {
    throw new XComValueError(
      `${where}but it returned ${value === null ? "null" : `a ${typeof value}`}: return a list or an object`,
      {},
    );
  }
  const length = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (length <= context.maxMapLength) return length;
  throw new XComValueError(
    `${where}but it has ${length} elements, more than the ${context.maxMapLength} allowed: return fewer, in batches, or raise [core] max_map_length`,
    { length, maxMapLength: context.maxMapLength },
  );
}

/** The XComs of a task that succeeded: its result, its `multipleOutputs`, and its skip decision. */
export function outcomeXComs(node: TaskNode, returned: unknown, decision: SkipDecision, maxBytes: number): Success["xcoms"] {
  const xcoms: { key: string; value: JsonValue }[] = [];
  if (returned !== undefined && node.settings.doXcomPush) {
    const value = toXComValue("return value", returned, maxBytes);
    xcoms.push({ key: RETURN_VALUE_KEY, value });
    if (node.settings.multipleOutputs) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        throw new Error(`task ${node.taskId} has multipleOutputs, so it must return an object`);
      }
      checkOutputs(node.taskId, Object.keys(value));
      for (const [key, output] of Object.entries(value)) xcoms.push({ key, value: output });
    }
  }
  if (decision.record !== null) xcoms.push({ key: SKIP_DECISION_KEY, value: decision.record });
  return xcoms;
}
