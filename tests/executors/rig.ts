import type { ChildProcess } from "node:child_process";
import type { DagRunState, TaskInstanceState } from "../../src/contracts/index.ts";
import type { Executor } from "../../src/executors/index.ts";
import type { SchedulerPart } from "../../src/main/index.ts";
import type { PausePoint } from "../../src/scheduler/index.ts";
import type { Engine } from "../support/engine.ts";
import type { ApiWire } from "./api-wire.ts";

/**
 * The grace of tasks that are to stop, in seconds, for schedulers and for workers that the rig starts: longer than any patience that a
 * worker could have of its own.
 */
export const GRACE_SEC = 6;

/** How a kind of executor differs where the contract lets it: facts that change what a case expects. */
export type ExecutorFacts = {
  /** Its name in the database, e.g. "LocalExecutor". */
  readonly name: string;
  /** Whether a scheduler that ends lets what runs come to its end first, or leaves it to run outside of its care. */
  readonly running: "ends with its scheduler" | "goes on outside";
  /** Whether an heir goes on with a try that was launched and not started, under its id; else it is queued anew. */
  readonly keepsQueued: boolean;
  /** Whether revoke() stops a task that runs; else it only keeps what waits from being started. */
  readonly revokeStops: boolean;
  /** What a launch is called outside, as kept with the task instance; null = nobody outside is asked. */
  readonly externalId: RegExp | null;
  /** What a try's history says when its worker was killed with kill -9. */
  readonly lossReason: RegExp;
};

/** What the suite needs of a kind of executor beside its configuration. */
export type ExecutorRig = {
  readonly facts: ExecutorFacts;
  /** Options: [core] executor and where its outside system is. A scheduler in a process of its own gets them too. */
  readonly environment: Readonly<Record<string, string>>;
  /** Starts what stands beside the scheduler: workers that are given `system.engine.apiUrl`. */
  start?(system: ContractSystem): Promise<void>;
  /** kill -9 of what runs the try; default: of the process that answers for it in the database. Puts in its place what later cases need. */
  killWorker?(running: TryRow): Promise<void>;
  /** Launches take this long from now on, 0 = no longer; default: the API lets workers wait. */
  delayStarts?(ms: number): void;
  /** The next result that the outside system itself would tell is lost; default: it tells none. */
  loseNextResult?(): void;
  /** After the last scheduler has ended. */
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
  /** The scheduler of the cases that need no other; started when it is first asked for, and again after `retire`. */
  scheduler(): Promise<SchedulerPart>;
  retire(): Promise<void>;
  executorOf(part: SchedulerPart): Executor;
  /** The executor of another scheduler, without its scheduler. */
  another(): Promise<Executor>;
  /** A scheduler in this process that stops for ever at the point, once it has queued a try, and is silent from then on. */
  frozenAt(point: PausePoint): Promise<{ frozen: Promise<void>; thaw(): Promise<void> }>;
  /** A scheduler in a process of its own, to be killed. */
  spawnScheduler(): ChildProcess;
  trigger(dagId: string): Promise<string>;
  finished(runId: string): Promise<DagRunState>;
  release(runId: string): void;
  /** The run's only task instance, or that of a task. */
  tryOf(runId: string, taskId?: string): Promise<TryRow>;
  history(runId: string): Promise<{ id: string; tryNumber: number; reason: string | null }[]>;
  trace(runId: string): TraceLine[];
  /** Resolves with the row when a try has noted its start. */
  started(runId: string): Promise<TryRow>;
  stop(): Promise<void>;
};
