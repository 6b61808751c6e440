import type { ExecuteTask, Workload } from "../contracts/index.ts";

/** What an executor tells the scheduler of its own accord: everything else comes through the execution API. */
export type ExecutorEvent = {
  /** The try's id, or the callback's. */
  id: string;
} & (
  | {
      /** It is in the hands of an outside system, under that system's name: kept, so that another scheduler can go on with it. */
      kind: "launched";
      externalExecutorId: string;
    }
  | {
      /**
       * `not_started`: nobody ran it, it may be queued again as it is. `lost`: it had started, or may have, and its worker is
       * gone: the try fails, to be retried if it may. `refused`: it cannot be launched here, however often it is tried: the
       * try fails.
       */
      kind: "not_started" | "lost" | "refused";
      reason: string;
    }
);

/** A try whose scheduler is dead. */
export type OrphanTry = {
  id: string;
  /** What the dead scheduler's executor had named in its `launched` event, if it came to that. */
  externalExecutorId: string | null;
  /** What is to run, anew with a token of its own; null: its worker has started it, and it is only to be watched. */
  workload: ExecuteTask | null;
};

/**
 * Where workloads run. The scheduler calls all of this from its loop, so nothing here may block it: `queue` only takes
 * over, launching happens behind it. An executor sees workloads, never the database and never user code.
 *
 * A try's id is stored before `queue` is called: it is the idempotency key. An executor whose outside system knows such keys
 * launches under it, so that the same id handed over twice, by two schedulers too, runs once.
 */
export type Executor = {
  /** The name tasks and configuration know it by, e.g. "LocalExecutor". */
  readonly name: string;
  /** Rejects with a BaramError where what it needs is not there: a scheduler does not start without its executors. */
  start(): Promise<void>;
  /** How many more workloads it would take now. */
  slotsAvailable(): number;
  queue(workloads: readonly Workload[]): void;
  /** Everything that happened since the last call. `onEvent` of the options is called when there is something to fetch. */
  takeEvents(): ExecutorEvent[];
  /**
   * Of these, the ids this executor goes on with: what it has in hand, what it finds in its outside system, and what it may
   * launch again since its key makes that safe. The rest is queued anew under new ids. May be asked twice about the same try, and
   * by two schedulers at once. Rejects if it cannot answer now; it is asked again later.
   */
  adopt(orphans: readonly OrphanTry[]): Promise<string[]>;
  /** Drops a workload that is still waiting here; stops it where its outside system has it. */
  revoke(id: string): void;
  /**
   * Takes no more, and gives back what is not launched. What runs in this process's own care ends within `graceMs`, or is ended; what
   * an outside system has goes on, for the next scheduler to adopt.
   */
  end(graceMs: number): Promise<void>;
};

export type ExecutorOptions = { name: string; parallelism: number; onEvent: () => void };
