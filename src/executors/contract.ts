import type { ExecuteTask, Workload } from "../contracts/index.ts";

/** What an executor reports to the scheduler; everything else comes through the execution API. */
export type ExecutorEvent = {
  /** The try's id, or the callback's. */
  id: string;
} & (
  | {
      /** An outside system has accepted it. That system's id is stored, so that another scheduler can adopt it. */
      kind: "launched";
      externalExecutorId: string;
    }
  | {
      /**
       * `not_started`: it never ran and may be queued again. `lost`: it started, or may have started, and its worker is gone: the
       * try fails, and is retried if retries are left. `refused`: it can never be launched here: the try fails.
       */
      kind: "not_started" | "lost" | "refused";
      reason: string;
    }
  | {
      /**
       * The outside system has not known it for a while, which proves nothing: a try that has not started is queued again, and a
       * running one is judged by its heartbeats alone.
       */
      kind: "missing";
      reason: string;
    }
);

/**
 * Returns those of the ids that are no open try or callback of this executor: they have ended, or were requeued under another id.
 * An executor asks it, since it never sees the database. Rejects if the database cannot be asked now.
 */
export type FindEnded = (ids: readonly string[]) => Promise<string[]>;

/** A try whose scheduler is dead. */
export type OrphanTry = {
  id: string;
  /** The id from the dead scheduler's `launched` event, if there was one. */
  externalExecutorId: string | null;
  /** The workload to run, with a new token; null: its worker has started it, so it only has to be watched. */
  workload: ExecuteTask | null;
};

/**
 * Where workloads run. The scheduler calls all of this from its loop, so nothing here may block: `queue` only accepts workloads,
 * and launches them in the background. An executor sees workloads, never the database and never user code.
 *
 * A try's id is stored before `queue` is called: it is the idempotency key. An executor whose outside system knows such keys
 * launches under it, so that the same id handed over twice, by two schedulers too, runs once.
 */
export type Executor = {
  /** The name tasks and configuration know it by, e.g. "LocalExecutor". */
  readonly name: string;
  /**
   * Its workloads pass through a broker, where others may read them: each is started only by a call with a worker's own token, and the
   * token in the workload is not enough.
   */
  readonly isStartedByWorkers?: boolean;
  /** Rejects with a BaramError if something it needs is missing: a scheduler does not start without its executors. */
  start(): Promise<void>;
  /** How many more workloads it would accept now. */
  slotsAvailable(): number;
  queue(workloads: readonly Workload[]): void;
  /** Everything that happened since the last call. `onEvent` of the options is called when there is something to fetch. */
  takeEvents(): ExecutorEvent[];
  /**
   * Returns the ids of those that this executor goes on with: those it holds, those it finds in its outside system, and those it
   * may launch again because their key makes that safe. The others are requeued under new ids. May be called twice for the same
   * try, and by two schedulers at once. Rejects if it cannot answer now; it is asked again later.
   */
  adopt(orphans: readonly OrphanTry[]): Promise<string[]>;
  /** Drops a workload that is still waiting here; stops it where its outside system has it. */
  revoke(id: string): void;
  /**
   * Accepts no more workloads, and returns those not launched. Those that run on this machine end within `graceMs` or are stopped;
   * those in an outside system go on, for the next scheduler to adopt.
   */
  end(graceMs: number): Promise<void>;
};

export type ExecutorOptions = { name: string; parallelism: number; onEvent: () => void };
