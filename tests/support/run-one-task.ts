import type { DagRunFacts, JsonValue, Outcome, RunContext, RunnerCalls, RunnerMethod } from "../../src/contracts/index.ts";
import { createMasker } from "../../src/platform/index.ts";
import { type DagDefinition, dag } from "../../src/sdk/index.ts";
import { type LogRecord, type RunnerCaller, type RunTaskInput, runTask } from "../../src/worker/runner/index.ts";
import { createLearningCaller } from "../../src/worker/runner/learning-caller.ts";

type Handler<M extends RunnerMethod> = (params: RunnerCalls[M]["params"]) => RunnerCalls[M]["result"];
type Handlers = { [M in RunnerMethod]?: Handler<M> };

/** The data of a fake execution API, and answers that differ from the default. */
export type Platform = {
  /** XComs of this run by `task.key`. */
  xcoms?: Record<string, JsonValue>;
  variables?: Record<string, string>;
  connections?: Record<string, RunnerCalls["getConnection"]["result"]>;
  handlers?: Handlers;
};

export type RunOne = Platform & {
  taskId?: string;
  dagRun?: Partial<DagRunFacts>;
  context?: Partial<RunContext>;
  input?: Partial<RunTaskInput>;
};

export const dagRunFacts: DagRunFacts = {
  dagId: "d",
  runId: "manual__1",
  runType: "manual",
  state: "running",
  logicalDate: "2024-01-31T00:00:00Z",
  dataIntervalStart: "2024-01-30T00:00:00Z",
  dataIntervalEnd: "2024-01-31T00:00:00Z",
  runAfter: "2024-01-31T00:00:00Z",
  startDate: "2024-01-31T00:00:01Z",
  endDate: null,
  conf: {},
  clearNumber: 0,
  note: null,
  triggeringUserName: null,
};

/** A caller that answers from memory and records its calls. */
export function fakeCaller(platform: Platform = {}) {
  const asked: { method: RunnerMethod; params: unknown }[] = [];
  const handlers: { [M in RunnerMethod]: Handler<M> } = {
    getXcom({ taskId, key }) {
      const value = platform.xcoms?.[`${taskId}.${key}`];
      return value === undefined ? { found: false, value: null } : { found: true, value };
    },
    getXcomPage: () => ({ values: [], next: null }),
    setXcom: () => null,
    getConnection: ({ connId }) => platform.connections?.[connId] ?? null,
    getVariable({ key }) {
      const value = platform.variables?.[key];
      return value === undefined ? null : { value };
    },
    setVariable: () => null,
    deleteVariable: () => null,
    triggerDagRun: ({ runId }) => ({ runId: runId ?? "manual__2", created: true }),
    getDagRunState: () => ({ state: "success" }),
    getNextRunAfter: () => ({ runAfter: null }),
    getTaskStates: () => ({ dagExists: true, missingTaskIds: [], runs: [] }),
    putRenderedFields: () => null,
    maskSecret: () => null,
    ...platform.handlers,
  };
  const caller: RunnerCaller = {
    async call(method, params) {
      asked.push({ method, params });
      return handlers[method](params);
    },
  };
  return { caller, asked };
}

/** Runs one task of a DAG against a fake execution API: `taskId` defaults to the DAG's only or first task. */
export async function runOneTask(definition: DagDefinition, options: RunOne = {}) {
  const { caller, asked } = fakeCaller(options);
  const logs: LogRecord[] = [];
  const masker = createMasker();
  const result = await runTask({
    dag: definition,
    taskId: options.taskId ?? definition.taskIds[0] ?? "",
    ti: { id: "0193f7a0-0000-7000-8000-000000000000", mapIndex: -1, tryNumber: 1 },
    context: {
      dagRun: { ...dagRunFacts, dagId: definition.dagId, ...options.dagRun },
      maxTries: 1,
      shouldRetry: false,
      taskRescheduleCount: 0,
      startDate: "2024-01-31T00:00:02Z",
      executionTimeoutSec: null,
      inputs: [],
      map: null,
      maxMapLength: 1024,
      xcomMaxBytes: 1_000_000,
      ...options.context,
    },
    caller: createLearningCaller(caller, masker),
    masker,
    log: (record) => logs.push(record),
    signal: new AbortController().signal,
    now: () => Date.parse("2024-01-31T00:00:02Z"),
    graceMs: 50,
    ...options.input,
  });
  return { ...result, logs, asked };
}

/** A DAG with this body, for tests. */
export function define(body: () => void): DagDefinition {
  return dag({ dagId: "d", params: { name: "Ada", limit: 3, nested: { key: "v" } } }, body);
}

export function returnValue(outcome: Outcome): JsonValue | undefined {
  if (outcome.state !== "success") throw new Error(`the task did not succeed: ${JSON.stringify(outcome)}`);
  return outcome.xcoms.find((xcom) => xcom.key === "return_value")?.value;
}

export function failureOf(outcome: Outcome): Extract<Outcome, { state: "failed" }> {
  if (outcome.state !== "failed") throw new Error(`the task did not fail: ${JSON.stringify(outcome)}`);
  return outcome;
}
