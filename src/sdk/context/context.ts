import type { Connection, DagRunState, DagRunType, JsonObject, JsonValue, RunnerCalls } from "../../contracts/index.ts";
import type { DurationInput } from "../values/duration.ts";

/** Writes to the try's log; `facts` are logged as fields of the record. */
export type TaskLogger = {
  debug(message: string, facts?: Record<string, unknown>): void;
  info(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
  error(message: string, facts?: Record<string, unknown>): void;
};

/** The DAG run of a task. */
export type RunFacts = {
  readonly dagId: string;
  readonly runId: string;
  readonly runType: DagRunType;
  /** null for runs without a scheduled date, such as most manual runs. */
  readonly logicalDate: Date | null;
  readonly dataIntervalStart: Date | null;
  readonly dataIntervalEnd: Date | null;
  readonly runAfter: Date;
  readonly startDate: Date | null;
  readonly conf: JsonObject;
  /** Number of times that the run was cleared. */
  readonly clearNumber: number;
  readonly note: string | null;
  readonly triggeringUserName: string | null;
};

export type TaskFacts = {
  readonly taskId: string;
  readonly operator: string;
  readonly taskGroupId: string | null;
  /** Direct upstream and downstream task ids, sorted. */
  readonly upstream: readonly string[];
  readonly downstream: readonly string[];
  readonly isSetup: boolean;
  readonly isTeardown: boolean;
};

export type DagFacts = {
  readonly dagId: string;
  readonly timezone: string;
  readonly tags: readonly string[];
  readonly taskIds: readonly string[];
  task(taskId: string): TaskFacts | undefined;
  /** Ids of the tasks at which edges to the group end, or undefined if there is no such group. */
  groupRoots(groupId: string): readonly string[] | undefined;
};

export type XComPullOptions = {
  /** Default "return_value". */
  key?: string;
  /** Default: this DAG, this run. */
  dagId?: string;
  runId?: string;
  /** Default: all of a mapped task, as a list; the own index of a task in the same mapped group; -1 of any other task. */
  mapIndex?: number;
  /** Also search earlier runs of the DAG. Default false. */
  includePriorDates?: boolean;
};

export type XComAccess = {
  /** The value that a task pushed, or null if there is none. A list of task ids gives a list of values. */
  pull<T = JsonValue>(taskId: string, options?: XComPullOptions): Promise<T | null>;
  pull<T = JsonValue>(taskIds: readonly string[], options?: XComPullOptions): Promise<(T | null)[]>;
  /** Stores a value under a key of this task instance immediately. Rejects values that are not JSON or too large. */
  push(key: string, value: unknown): Promise<void>;
};

export type TaskInstanceFacts = {
  /** Unique for each try. */
  readonly id: string;
  readonly dagId: string;
  readonly taskId: string;
  readonly runId: string;
  /** -1 = the task is not mapped. */
  readonly mapIndex: number;
  /** Starts at 1. */
  readonly tryNumber: number;
  readonly maxTries: number;
  /** First start of this try. */
  readonly startDate: Date;
  readonly xcomPull: XComAccess["pull"];
  readonly xcomPush: XComAccess["push"];
};

export type TriggerDagRunRequest = {
  dagId: string;
  runId?: string | null;
  /** Without an offset: local time in that DAG's time zone. Omitted: now. null: the run has no logical date. */
  logicalDate?: Date | string | null;
  conf?: JsonObject;
  /** Clear an existing run with the same id or logical date instead of returning `created: false`. */
  resetDagRun?: boolean;
  note?: string | null;
};

/** Access to other DAGs and their runs. */
export type DagsAccess = {
  trigger(request: TriggerDagRunRequest): Promise<RunnerCalls["triggerDagRun"]["result"]>;
  /** null if there is no such run. */
  runState(dagId: string, runId: string): Promise<DagRunState | null>;
  /** When the next scheduled run after this one is due; null if there will be none, or if there is no such run. */
  nextRunAfter(dagId: string, runId: string): Promise<Date | null>;
  taskStates(request: RunnerCalls["getTaskStates"]["params"]): Promise<RunnerCalls["getTaskStates"]["result"]>;
};

export type VariableOptions<D> = {
  /** Returned if the variable does not exist; without a default, a missing variable is an error. */
  default?: D;
  /** Parse the value as JSON. */
  json?: boolean;
};

/** Context that tasks and callbacks have in common. */
export type PlatformContext<V extends object = JsonObject> = {
  readonly run: RunFacts;
  readonly dag: DagFacts;
  readonly conf: JsonObject;
  /** The DAG's params, overridden by the run's conf. */
  readonly params: V;
  readonly logger: TaskLogger;
  readonly signal: AbortSignal;
  readonly logicalDate: Date | null;
  readonly dataIntervalStart: Date | null;
  readonly dataIntervalEnd: Date | null;
  /** The logical date as "2024-01-31" and "2024-01-31T00:00:00+00:00" in UTC; null if the run has none. */
  readonly ds: string | null;
  readonly ts: string | null;
  /** @throws if there is no connection with that id. */
  connection(connId: string): Promise<Connection>;
  variable(key: string): Promise<string>;
  variable<T = JsonValue>(key: string, options: VariableOptions<T> & { json: true }): Promise<T>;
  variable<D>(key: string, options: VariableOptions<D>): Promise<string | D>;
  /** Strings are stored as they are, other values as JSON. */
  setVariable(key: string, value: JsonValue, description?: string): Promise<void>;
  deleteVariable(key: string): Promise<void>;
  /**
   * Hides a secret that the task has from elsewhere, for example a token that it has requested: all texts and numbers in `value`, in
   * logs, rendered fields, errors and labels, once this is awaited. Values below 5 characters are not hidden.
   */
  maskSecret(value: JsonValue): Promise<void>;
};

/** Passed to a task that continues after a deferral. */
export type Resumed = {
  /** The payload of the trigger's event. */
  readonly event: JsonValue;
  /** The `kwargs` that the task passed to `defer()`. */
  readonly kwargs: JsonObject;
};

/**
 * The context of a running task. `V` is the type of its params: with `const params = { path: "in.csv" }` and `dag({ params, …
 * })`, a task's `ctx: TaskContext<ParamValues<typeof params>>` has `ctx.params.path` as a string, and no other params.
 */
export type TaskContext<V extends object = JsonObject> = PlatformContext<V> & {
  /** Set if the try continues after a deferral; null in its first execution. */
  readonly resumed: Resumed | null;
  readonly ti: TaskInstanceFacts;
  readonly task: TaskFacts;
  readonly xcom: XComAccess;
  readonly dags: DagsAccess;
  now(): Date;
  /** Rejects as soon as `signal` aborts. */
  sleep(duration: DurationInput): Promise<void>;
  /**
   * Marks downstream tasks to be skipped once this task has succeeded. The decision is stored as an XCom, so that tasks that are
   * cleared later are skipped again. `followed`: for a branch, the direct downstream tasks that are not skipped.
   */
  skipTasks(taskIds: readonly string[], followed?: readonly string[]): void;
};

/** The context of `onExecute`, `onSuccess`, `onFailure`, `onRetry` and `onSkipped`. */
export type TaskCallbackContext = PlatformContext & {
  readonly ti: TaskInstanceFacts;
  readonly task: TaskFacts;
  readonly xcom: XComAccess;
  /** The error that the task threw; undefined for onExecute and onSuccess. */
  readonly error: Error | undefined;
  /** Why the callback runs, as text. */
  readonly reason: string;
};

/** The context of a DAG's `onSuccess` and `onFailure`, which run after the DAG run has ended. */
export type DagCallbackContext = PlatformContext & { readonly reason: string };

/** A callback as a function. A notifier is allowed in all places where a callback is. */
export type TaskCallback = (ctx: TaskCallbackContext) => unknown;
export type DagCallback = (ctx: DagCallbackContext) => unknown;
