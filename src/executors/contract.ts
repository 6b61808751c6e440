import type { Workload } from "../contracts/index.ts";

/** What an executor tells the scheduler of its own accord: everything else comes through the execution API. */
export type ExecutorEvent = {
  /** The try's id, or the callback's. */
  id: string;
  /** `not_started`: nobody ran it, it may be queued again as it is. `lost`: it had started and its worker is gone. */
  kind: "not_started" | "lost";
  reason: string;
};

/**
 * Where workloads run. The scheduler calls all of this from its loop, so nothing here may block it: `queue` only takes
 * over, launching happens behind it. An executor sees workloads, never the database and never user code.
 */
export type Executor = {
  /** The name tasks and configuration know it by, e.g. "LocalExecutor". */
  readonly name: string;
  start(): Promise<void>;
  /** How many more workloads it would take now. */
  slotsAvailable(): number;
  queue(workloads: readonly Workload[]): void;
  /** Everything that happened since the last call. `onEvent` of the options is called when there is something to fetch. */
  takeEvents(): ExecutorEvent[];
  /** Of these tries of a dead scheduler, the ids this executor has in hand and goes on with. */
  adopt(tries: readonly { id: string; externalExecutorId: string | null }[]): Promise<string[]>;
  /** Drops a workload that is still waiting here. */
  revoke(id: string): void;
  /** Takes no more, lets what runs end within `graceMs`, then ends it. What it could not end comes out as events. */
  end(graceMs: number): Promise<void>;
};

export type ExecutorOptions = { name: string; parallelism: number; onEvent: () => void };
