/**
 * What happened, as the checker reads it: the transitions that the recorder's triggers wrote, the rows at the end, what the
 * tasks themselves noted in the trace file, and what the API acknowledged. Times are milliseconds since the epoch by the
 * database's clock; `monotonicMs` is the machine's monotonic clock, the same for all its processes.
 */
export type Transition = {
  seq: number;
  atMs: number;
  /** Of the transaction, so that what became visible together can be told. */
  txid: string;
  run: string;
  /** run/task[mapIndex] */
  instance: string;
  taskId: string;
  /** Null for the insert. */
  oldId: string | null;
  /** Null for the delete. */
  newId: string | null;
  from: string | null;
  to: string | null;
  tryNumber: number;
  pool: string;
  poolSlots: number;
  jobId: number | null;
};

/** dag/run id; `from` is null for the insert. */
export type RunTransition = { seq: number; atMs: number; run: string; dagId: string; from: string | null; to: string | null };

export type PoolChange = { seq: number; pool: string; slots: number; includeDeferred: boolean };

export type InstanceRow = {
  run: string;
  instance: string;
  taskId: string;
  id: string;
  state: string | null;
  tryNumber: number;
  maxTries: number;
};
/** A try in task_instance_history. */
export type PastTry = {
  run: string;
  instance: string;
  id: string;
  tryNumber: number;
  state: string | null;
  reason: string | null;
};
export type RunRow = {
  run: string;
  dagId: string;
  runType: string;
  state: string;
  logicalDateMs: number | null;
  endMs: number | null;
};
export type XcomRow = { instance: string; key: string; value: unknown };
export type TraceLine = {
  /** "write": something done between start and end, or beyond them by a task that does not stop. */
  what: "start" | "write" | "end" | "fail";
  dag: string;
  run: string;
  task: string;
  mapIndex: number;
  tryNumber: number;
  tryId: string;
  pid: number;
  wallMs: number;
  monotonicMs: number;
};
/** A DAG's callback that the platform owes after a run's end. */
export type OwedCallback = { run: string; state: string };
/** One item of a supervisor's call and the answer it got. */
export type Acknowledged = { op: "start" | "finish"; tryId: string; outcome: string | null; status: number; atMs: number };
/** A look at pg_stat_activity. */
export type Sample = { atMs: number; connections: number; idleInTransactionSec: number };

export type TaskSpec = {
  taskId: string;
  upstream: readonly string[];
  triggerRule?: "all_success" | "all_done";
  retries: number;
  /** Tries 1 to this one fail on purpose. */
  failTries: number;
  durationMs: number;
  /** Tries 1 to this one ignore their signal and write on for a minute: only their executionTimeout, and the grace after it, end them. */
  deafTries?: number;
  executionTimeout?: { readonly seconds: number };
  /** What its tries leave behind goes on writing: a timer in its process, or a process that it detached. */
  leaves?: "timer" | "process";
  /** The task first waits so long for a trigger. */
  deferMs?: number;
  pool?: string;
  poolSlots?: number;
  maxActiveTisPerDag?: number;
  maxActiveTisPerDagrun?: number;
  /** Of a task that others are mapped over: how long its list is. */
  mapLength?: number;
  /** Mapped over what this task returned. */
  mappedOver?: string;
  /** Waits for a trigger before it ends. */
  defers?: boolean;
};
export type DagSpec = {
  dagId: string;
  /** onSuccess and onFailure of the DAG note in the trace that they ran. */
  callbacks?: boolean;
  /** Cron expression, or null. */
  schedule: string | null;
  startDate?: string;
  catchup?: boolean;
  maxActiveTasks: number;
  maxActiveRuns: number;
  tasks: readonly TaskSpec[];
};

export type History = {
  transitions: readonly Transition[];
  runTransitions: readonly RunTransition[];
  poolChanges: readonly PoolChange[];
  instances: readonly InstanceRow[];
  pastTries: readonly PastTry[];
  runs: readonly RunRow[];
  xcoms: readonly XcomRow[];
  trace: readonly TraceLine[];
  /** The database's clock less the machine's monotonic one, in milliseconds: places the trace among the transitions. */
  clockOffsetMs: number;
  owedCallbacks: readonly OwedCallback[];
  /** dag/run, a line for each time that a DAG's callback ran. */
  callbacksRun: readonly string[];
  /** Answers of the execution API as the proxy saw them, whether they reached the supervisor or not. */
  acknowledged: readonly Acknowledged[];
  /** dag/run ids that the public API said were created. */
  acknowledgedRuns: readonly string[];
  samples: readonly Sample[];
  /** By instance and try number, `run/task[-1]#1`; only tries whose log exists. */
  logs: ReadonlyMap<string, string>;
  /** The database server's own log. */
  serverLog: string;
};

/** What the workload and the fault allow. */
export type Expectation = {
  dags: readonly DagSpec[];
  /** Tries that one scheduler keeps queued or running at most. */
  parallelism: number;
  /** When the last fault ended. */
  faultsEndedMs: number;
  /** How long after that the last run may end. */
  recoverySec: number;
  /** Reasons, beside the workload's own failures, for which a try may be lost. */
  lossReasons: readonly RegExp[];
  /** Somebody cleared or marked instances: terminal states may be left, and instances end otherwise than their DAG says. */
  isSteered: boolean;
  /** Connections that the system under test may hold. */
  maxConnections: number;
  /** Logical dates between the first and the last run of a scheduled DAG, in milliseconds; null = not looked at. */
  intervalMs: number | null;
  /** DAGs that the fault is none of: their runs before `faultFromMs` are compared with those created after it. */
  bystanders?: { readonly dagIds: readonly string[]; readonly faultFromMs: number };
};

export const TERMINAL = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);
export const ACTIVE = new Set(["queued", "running", "restarting"]);

export function instanceKey(run: string, taskId: string, mapIndex: number): string {
  return `${run}/${taskId}[${mapIndex}]`;
}

export function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const list = groups.get(keyOf(one));
    if (list) list.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}
