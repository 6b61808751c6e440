import { inspect } from "node:util";
import type { DagRunFacts, JsonObject, JsonValue } from "../../contracts/index.ts";
import type { DagDefinition, DagFacts, RunFacts, TaskContext, TaskFacts, TaskLogger, VariableOptions } from "../../sdk/index.ts";
import { findJsonFault, type TaskNode } from "../../sdk/runtime.ts";
import { authorStack } from "./author-stack.ts";
import type { LogRecord, LogSink, RunnerCaller } from "./runner-caller.ts";
import { NotFoundError } from "./task-failure.ts";

/** The common part of a task's and a callback's context: `run`, `params` and everything that is read through calls. */
export type PlatformPart = Pick<
  TaskContext,
  | "run"
  | "dag"
  | "conf"
  | "params"
  | "logger"
  | "signal"
  | "logicalDate"
  | "dataIntervalStart"
  | "dataIntervalEnd"
  | "ds"
  | "ts"
  | "connection"
  | "variable"
  | "setVariable"
  | "deleteVariable"
  | "maskSecret"
>;

export type PlatformPartInput = {
  dag: DagDefinition;
  dagRun: DagRunFacts;
  caller: RunnerCaller;
  log: LogSink;
  signal: AbortSignal;
};

export function createPlatformPart({ dag, dagRun, caller, log, signal }: PlatformPartInput): PlatformPart {
  const run = toRunFacts(dagRun);
  const iso = run.logicalDate?.toISOString() ?? null;
  return {
    run,
    dag: toDagFacts(dag),
    conf: dagRun.conf,
    params: { ...paramDefaults(dag), ...dagRun.conf },
    logger: createTaskLogger(log),
    signal,
    logicalDate: run.logicalDate,
    dataIntervalStart: run.dataIntervalStart,
    dataIntervalEnd: run.dataIntervalEnd,
    ds: iso === null ? null : iso.slice(0, 10),
    ts: iso === null ? null : iso.replace(/\.000Z$/, "+00:00").replace(/Z$/, "+00:00"),
    async connection(connId) {
      const connection = await caller.call("getConnection", { connId });
      if (connection !== null) return connection;
      throw new NotFoundError("connection", connId, `add it with "baram connections add ${connId}"`);
    },
    variable: createVariableReader(caller),
    async setVariable(key: string, value: JsonValue, description?: string) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      await caller.call("setVariable", { key, value: text, description: description ?? null });
    },
    async deleteVariable(key) {
      await caller.call("deleteVariable", { key });
    },
    async maskSecret(value) {
      await caller.call("maskSecret", { value });
    },
  };
}

function createVariableReader(caller: RunnerCaller): TaskContext["variable"] {
  const read = async (key: string, options: VariableOptions<unknown> = {}): Promise<unknown> => {
    const found = await caller.call("getVariable", { key });
    if (found !== null) return options.json ? parseVariable(key, found.value) : found.value;
    if ("default" in options) return options.default;
    throw new NotFoundError("variable", key, `set it with "baram variables set ${key} …", or give a default`);
  };
  return read as TaskContext["variable"];
}

export function parseVariable(key: string, text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The value may be a secret: the message must not quote it, as JSON.parse's own message does.
    throw new Error(`variable "${key}" is not JSON (its value has ${text.length} characters)`, {
      cause: cause instanceof Error ? cause.name : cause,
    });
  }
}

function paramDefaults(dag: DagDefinition): JsonObject {
  const defaults: JsonObject = {};
  for (const [name, declared] of Object.entries(dag.facts.params)) {
    if (declared.value !== undefined) defaults[name] = structuredClone(declared.value);
  }
  return defaults;
}

function toRunFacts(facts: DagRunFacts): RunFacts {
  const date = (iso: string | null) => (iso === null ? null : new Date(iso));
  return {
    dagId: facts.dagId,
    runId: facts.runId,
    runType: facts.runType,
    logicalDate: date(facts.logicalDate),
    dataIntervalStart: date(facts.dataIntervalStart),
    dataIntervalEnd: date(facts.dataIntervalEnd),
    runAfter: new Date(facts.runAfter),
    startDate: date(facts.startDate),
    conf: facts.conf,
    clearNumber: facts.clearNumber,
    note: facts.note,
    triggeringUserName: facts.triggeringUserName,
  };
}

const dagFactsOf = new WeakMap<DagDefinition, DagFacts>();

// Cached per DAG: a warm runner runs thousands of tries of one DAG, and reversing the edges walks all tasks.
function toDagFacts(dag: DagDefinition): DagFacts {
  const known = dagFactsOf.get(dag);
  if (known !== undefined) return known;
  const { nodes, upstreams, groupRoots, dagId, timezone, tags } = dag.facts;
  const downstreams = new Map<string, string[]>();
  for (const [taskId, upstream] of upstreams) {
    for (const id of upstream) downstreams.set(id, [...(downstreams.get(id) ?? []), taskId]);
  }
  const tasks = new Map([...nodes.values()].map((node) => [node.taskId, toTaskFacts(node, upstreams, downstreams)]));
  const facts: DagFacts = {
    dagId,
    timezone,
    tags,
    taskIds: [...nodes.keys()],
    task: (taskId) => tasks.get(taskId),
    groupRoots: (groupId) => groupRoots.get(groupId),
  };
  dagFactsOf.set(dag, facts);
  return facts;
}

function toTaskFacts(
  node: TaskNode,
  upstreams: ReadonlyMap<string, ReadonlySet<string>>,
  downstreams: ReadonlyMap<string, string[]>,
): TaskFacts {
  return {
    taskId: node.taskId,
    operator: node.operatorName,
    taskGroupId: node.taskGroupId,
    upstream: [...(upstreams.get(node.taskId) ?? [])].sort(),
    downstream: [...(downstreams.get(node.taskId) ?? [])].sort(),
    isSetup: node.settings.isSetup,
    isTeardown: node.settings.isTeardown,
  };
}

function createTaskLogger(log: LogSink): TaskLogger {
  const write = (level: LogRecord["level"]) => (message: string, facts?: Record<string, unknown>) =>
    log({ level, message: String(message), ...(facts === undefined ? {} : { facts: toLoggable(facts) }) });
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

// A log line must never fail a task: values that JSON cannot represent (a BigInt, a cycle, an error's fields) are written as text.
function toLoggable(facts: Record<string, unknown>): Record<string, unknown> {
  const loggable = Object.entries(facts).map(([key, value]) => {
    if (typeof value !== "object" || value === null) return [key, typeof value === "bigint" ? `${value}n` : value];
    if (value instanceof Error) return [key, typeof value.stack === "string" ? authorStack(value.stack) : String(value)];
    return [
      key,
      findJsonFault(value) === undefined ? value : inspect(value, { depth: 3, breakLength: Number.POSITIVE_INFINITY }),
    ];
  });
  return Object.fromEntries(loggable);
}
