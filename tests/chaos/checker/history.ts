/**
 * The history of a run as the checker reads it: the transitions that the recorder's triggers wrote, the rows at the end, the
 * tasks' own entries in the trace file, and the calls that the API acknowledged. Times are milliseconds since the epoch by the
 * database's clock; `monotonicMs` is the machine's monotonic clock, the same for all its processes.
 */
export type Transition = {
  seq: number;
  atMs: number;
  /** Id of the transaction: its transitions became visible together. */
  txid: string;
  run: string;
  /** run/task[mapIndex] */
  instance: string;
  taskId: string;
  /** null for the insert. */
  oldId: string | null;
  /** null for the delete. */
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
/** A DAG's callback that the platform must run after the end of a run. */
export type OwedCallback = { run: string; state: string };
/** One item of a supervisor's call and its answer. */
export type Acknowledged = { op: "start" | "finish"; tryId: string; outcome: string | null; status: number; atMs: number };
/** A sample of pg_stat_activity. */
export type Sample = { atMs: number; connections: number; idleInTransactionSec: number };

export type TaskSpec = {
  taskId: string;
  upstream: readonly string[];
  triggerRule?: "all_success" | "all_done";
  retries: number;
  /** Tries up to this number fail on purpose. */
  failTries: number;
  durationMs: number;
  /**
   * Tries up to this number ignore their signal and write for a minute: only their executionTimeout and the grace period end
   * them.
   */
  deafTries?: number;
  executionTimeout?: { readonly seconds: number };
  /** Leftover of each try that goes on writing: a timer in its process, or a process that it detached. */
  leaves?: "timer" | "process";
  /** The task first waits this long for a trigger. */
  deferMs?: number;
  pool?: string;
  poolSlots?: number;
  maxActiveTisPerDag?: number;
  maxActiveTisPerDagrun?: number;
  /** For a task over whose result others are mapped: the length of its list. */
  mapLength?: number;
  /** Id of the task over whose result it is mapped. */
  mappedOver?: string;
  /** Waits for a trigger before it ends. */
  defers?: boolean;
};
export type DagSpec = {
  dagId: string;
  /** onSuccess and onFailure of the DAG write an entry to the trace. */
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
  /** The database's clock minus the machine's monotonic one, in milliseconds; used to order the trace and the transitions. */
  clockOffsetMs: number;
  owedCallbacks: readonly OwedCallback[];
  /** dag/run, an entry for each call of a DAG's callback. */
  callbacksRun: readonly string[];
  /** Answers of the execution API as the proxy saw them, whether or not they reached the supervisor. */
  acknowledged: readonly Acknowledged[];
  /** dag/run ids whose creation the public API acknowledged. */
  acknowledgedRuns: readonly string[];
  samples: readonly Sample[];
  /** By instance and try number, `run/task[-1]#1`; only tries whose log exists. */
  logs: ReadonlyMap<string, string>;
  /** The database server's own log. */
  serverLog: string;
};

/** Limits and deviations that the workload and the fault allow. */
export type Expectation = {
  dags: readonly DagSpec[];
  /** Maximum number of tries that one scheduler keeps queued or running. */
  parallelism: number;
  /** When the last fault ended. */
  faultsEndedMs: number;
  /** Maximum time from then to the end of the last run. */
  recoverySec: number;
  /** Reasons, besides the workload's own failures, for which a try may be lost. */
  lossReasons: readonly RegExp[];
  /** Instances were cleared or marked: they may leave terminal states, and end otherwise than their DAG specifies. */
  isSteered: boolean;
  /** Maximum number of connections of the system under test. */
  maxConnections: number;
  /** Distance of logical dates between the first and the last run of a scheduled DAG, in milliseconds; null = not checked. */
  intervalMs: number | null;
  /** DAGs that the fault does not concern: their runs before `faultFromMs` are compared with those created after it. */
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
