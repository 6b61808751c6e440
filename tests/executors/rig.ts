import type { ContractSystem, TryRow } from "./system.ts";

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
