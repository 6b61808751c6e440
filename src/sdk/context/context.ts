import type { Connection, DagRunState, DagRunType, JsonObject, JsonValue, RunnerCalls } from "../../contracts/index.ts";
import type { DurationInput } from "../values/duration.ts";

/** Writes to the try's log; `facts` stand beside the message. */
export type TaskLogger = {
  debug(message: string, facts?: Record<string, unknown>): void;
  info(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
  error(message: string, facts?: Record<string, unknown>): void;
};

/** The DAG run that a task belongs to. */
export type RunFacts = {
  readonly dagId: string;
  readonly runId: string;
  readonly runType: DagRunType;
  /** Null for runs that stand for no point of a schedule, such as most manual ones. */
  readonly logicalDate: Date | null;
  readonly dataIntervalStart: Date | null;
  readonly dataIntervalEnd: Date | null;
  readonly runAfter: Date;
  readonly startDate: Date | null;
  readonly conf: JsonObject;
  /** How often the run was cleared. */
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
  /** The ids of the tasks that a group's upstream tasks point at, or undefined when there is no such group. */
  groupRoots(groupId: string): readonly string[] | undefined;
};

export type XComPullOptions = {
  /** Default "return_value". */
  key?: string;
  /** Default: this DAG, this run. */
  dagId?: string;
  runId?: string;
  /** Default: of a mapped task all, as a list; of one in the same mapped group the own index; -1 of any other. */
  mapIndex?: number;
  /** Look at earlier runs of the DAG too. Default false. */
  includePriorDates?: boolean;
};

export type XComAccess = {
  /** The value that a task pushed, or null when there is none. A list of ids gives a list of values. */
  pull<T = JsonValue>(taskId: string, options?: XComPullOptions): Promise<T | null>;
  pull<T = JsonValue>(taskIds: readonly string[], options?: XComPullOptions): Promise<(T | null)[]>;
  /** Stores a value under a key of this task instance at once. Rejects values that are not JSON or too large. */
  push(key: string, value: unknown): Promise<void>;
};

export type TaskInstanceFacts = {
  /** The try's own id; every try has another. */
  readonly id: string;
  readonly dagId: string;
  readonly taskId: string;
  readonly runId: string;
  /** -1 = the task is not mapped. */
  readonly mapIndex: number;
  /** Counts from 1. */
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
  /** Without an offset it is local time of that DAG's zone. Left out: now. null: the run has none. */
  logicalDate?: Date | string | null;
  conf?: JsonObject;
  /** Clear the run that stands in the way instead of answering `created: false`. */
  resetDagRun?: boolean;
  note?: string | null;
};

/** Other DAGs, as a task may see and start them. */
export type DagsAccess = {
  trigger(request: TriggerDagRunRequest): Promise<RunnerCalls["triggerDagRun"]["result"]>;
  /** Null when there is no such run. */
  runState(dagId: string, runId: string): Promise<DagRunState | null>;
  /** When the schedule makes the run after this one due; null when there will be none, or no such run. */
  nextRunAfter(dagId: string, runId: string): Promise<Date | null>;
  taskStates(request: RunnerCalls["getTaskStates"]["params"]): Promise<RunnerCalls["getTaskStates"]["result"]>;
};

export type VariableOptions<D> = {
  /** Given back when there is no such variable; without it a missing variable is an error. */
  default?: D;
  /** Parse the value as JSON. */
  json?: boolean;
};

/** What tasks and callbacks alike can reach. */
export type PlatformContext<V extends object = JsonObject> = {
  readonly run: RunFacts;
  readonly dag: DagFacts;
  readonly conf: JsonObject;
  /** The DAG's params with the run's conf laid over them. */
  readonly params: V;
  readonly logger: TaskLogger;
  readonly signal: AbortSignal;
  readonly logicalDate: Date | null;
  readonly dataIntervalStart: Date | null;
  readonly dataIntervalEnd: Date | null;
  /** The logical date as "2024-01-31" and "2024-01-31T00:00:00+00:00" in UTC; null where the run has none. */
  readonly ds: string | null;
  readonly ts: string | null;
  /** @throws when there is no connection of that id. */
  connection(connId: string): Promise<Connection>;
  variable(key: string): Promise<string>;
  variable<T = JsonValue>(key: string, options: VariableOptions<T> & { json: true }): Promise<T>;
  variable<D>(key: string, options: VariableOptions<D>): Promise<string | D>;
  /** Strings are stored as they are, anything else as JSON. */
  setVariable(key: string, value: JsonValue, description?: string): Promise<void>;
  deleteVariable(key: string): Promise<void>;
};

/** What a task that was deferred goes on with. */
export type Resumed = {
  /** What the trigger told. */
  readonly event: JsonValue;
  /** What the task gave to `defer()`. */
  readonly kwargs: JsonObject;
};

/**
 * What a running task is given. `V`: its params, where the author says which there are: with `const params = { path: "in.csv" }` and
 * `dag({ params, … })`, a task's `ctx: TaskContext<ParamValues<typeof params>>` has `ctx.params.path` as a string, and no other.
 */
export type TaskContext<V extends object = JsonObject> = PlatformContext<V> & {
  /** Set when the try goes on after a deferral; null on its first turn. */
  readonly resumed: Resumed | null;
  readonly ti: TaskInstanceFacts;
  readonly task: TaskFacts;
  readonly xcom: XComAccess;
  readonly dags: DagsAccess;
  now(): Date;
  /** Waits; rejects as soon as `signal` aborts. */
  sleep(duration: DurationInput): Promise<void>;
  /**
   * Marks downstream tasks to be skipped once this task succeeded. The decision is kept as an XCom, so that tasks cleared
   * later are skipped again.
   * `followed`: of a branch, the direct downstream tasks that go on.
   */
  skipTasks(taskIds: readonly string[], followed?: readonly string[]): void;
};

/** What `onExecute`, `onSuccess`, `onFailure`, `onRetry` and `onSkipped` are given. */
export type TaskCallbackContext = PlatformContext & {
  readonly ti: TaskInstanceFacts;
  readonly task: TaskFacts;
  readonly xcom: XComAccess;
  /** What the task threw; undefined for onExecute and onSuccess. */
  readonly error: Error | undefined;
  /** Why the callback runs, in words. */
  readonly reason: string;
};

/** What a DAG's `onSuccess` and `onFailure` are given, after its run ended. */
export type DagCallbackContext = PlatformContext & { readonly reason: string };

/** A callback as a function; wherever one may be given, a notifier may be, too. */
export type TaskCallback = (ctx: TaskCallbackContext) => unknown;
export type DagCallback = (ctx: DagCallbackContext) => unknown;
