import type { ChildProcess } from "node:child_process";
import type { DagRunState, TaskInstanceState } from "../../src/contracts/index.ts";
import type { Executor } from "../../src/executors/index.ts";
import type { SchedulerPart } from "../../src/main/index.ts";
import type { PausePoint } from "../../src/scheduler/index.ts";
import type { Engine } from "../support/engine.ts";
import type { ApiWire } from "./api-wire.ts";

/**
 * The grace period of stopped tasks in seconds, for schedulers and for workers that the rig starts: longer than any timeout of a
 * worker itself.
 */
export const GRACE_SEC = 6;

/** Differences between executors that the contract allows: facts that change the expectations of a case. */
export type ExecutorFacts = {
  /** Its name in the database, e.g. "LocalExecutor". */
  readonly name: string;
  /** What happens to running tries when the scheduler ends: it waits for their end, or they continue outside of it. */
  readonly running: "ends with its scheduler" | "goes on outside";
  /**
   * Whether another scheduler continues a try that was launched and has not started, under its id; otherwise it is queued again.
   */
  readonly keepsQueued: boolean;
  /** Whether revoke() stops a running task; otherwise it only prevents the start of waiting ones. */
  readonly revokeStops: boolean;
  /** The id of a launch in the external system, as stored with the task instance; null = there is no external system. */
  readonly externalId: RegExp | null;
  /** The reason in a try's history after its worker was killed with kill -9. */
  readonly lossReason: RegExp;
};

/** The parts of an executor's test setup, in addition to its configuration. */
export type ExecutorRig = {
  readonly facts: ExecutorFacts;
  /** Options: [core] executor and the address of its external system. A scheduler in a separate process gets them too. */
  readonly environment: Readonly<Record<string, string>>;
  /** Starts the processes next to the scheduler: workers, with `system.engine.apiUrl`. */
  start?(system: ContractSystem): Promise<void>;
  /**
   * kill -9 of the process that runs the try; default: the process that the database names for it. Starts a replacement if later
   * cases need one.
   */
  killWorker?(running: TryRow): Promise<void>;
  /** From now on launches take this long, 0 = normal; default: the API makes workers wait. */
  delayStarts?(ms: number): void;
  /** The next result that the external system reports is lost; default: it reports none. */
  loseNextResult?(): void;
  /** Called after the last scheduler has ended. */
  close?(): Promise<void>;
};

export type TryRow = {
  id: string;
  state: TaskInstanceState | null;
  tryNumber: number;
  pid: number | null;
  executor: string;
  externalId: string | null;
  queueAttempts: number;
  jobId: number | null;
};
export type TraceLine = {
  what: "start" | "write" | "end";
  id: string;
  runId: string;
  task: string;
  attempt: number;
  pid: number;
  at: number;
};

export type ContractSystem = {
  readonly engine: Engine;
  readonly wire: ApiWire;
  /** The scheduler for the cases that need only one; started on first use, and again after `retire`. */
  scheduler(): Promise<SchedulerPart>;
  retire(): Promise<void>;
  executorOf(part: SchedulerPart): Executor;
  /** The executor of another scheduler, without that scheduler. */
  another(): Promise<Executor>;
  /** A scheduler in this process that stops at the point for ever after it has queued a try, and sends nothing from then on. */
  frozenAt(point: PausePoint): Promise<{ frozen: Promise<void>; thaw(): Promise<void> }>;
  /** A scheduler in a separate process, which the test can kill. */
  spawnScheduler(): ChildProcess;
  trigger(dagId: string): Promise<string>;
  finished(runId: string): Promise<DagRunState>;
  release(runId: string): void;
  /** The run's only task instance, or that of a task. */
  tryOf(runId: string, taskId?: string): Promise<TryRow>;
  history(runId: string): Promise<{ id: string; tryNumber: number; reason: string | null }[]>;
  trace(runId: string): TraceLine[];
  /** Resolves with the row after a try has recorded its start. */
  started(runId: string): Promise<TryRow>;
  stop(): Promise<void>;
};
