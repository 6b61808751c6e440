import type { Executor, ExecutorEvent } from "../executors/index.ts";
import type { Clock, Logger, Metrics, Tokens } from "../platform/index.ts";
import type { Store } from "../store/index.ts";
import type { DagCache } from "./commands/index.ts";
import type { RunPicture } from "./core/run-picture.ts";

/** What one scheduler keeps in memory between passes. Losing it costs time, but no task. */
export type SchedulerMemory = {
  /** Pictures of running DAG runs by key; only `evaluate-runs` touches them. */
  readonly pictures: Map<number, RunPicture>;
  /**
   * Ids of tries that were chosen to be queued but not yet handed to an executor; only `dispatch` uses them. Without this, if the
   * answer to the commit is lost, they would stay queued in the database and nothing would start them.
   */
  readonly limbo: Set<string>;
  /**
   * Events taken from executors and not yet written, and the time before which they are not retried; only `takeExecutorEvents` uses
   * them.
   */
  readonly untold: { event: ExecutorEvent; notBeforeMs: number }[];
  /** What of `set_aside` this scheduler knows: how many rows, and when the next of them is to be tried, in ms since the epoch. See `culprits.ts`. */
  readonly aside: { count: number; tryAtMs: number };
  /**
   * Set by the silence watch. `isOn`: the execution API is away, so nothing is launched. `spareUntilMs`: no try is blamed before, in ms
   * since the epoch.
   */
  readonly outage: { isOn: boolean; spareUntilMs: number };
};

export function createSchedulerMemory(): SchedulerMemory {
  return {
    pictures: new Map(),
    limbo: new Set(),
    untold: [],
    aside: { count: 0, tryAtMs: Number.POSITIVE_INFINITY },
    outage: { isOn: false, spareUntilMs: 0 },
  };
}

/** Default: an error, in a log that may have lines already. `isAnew`: see `AppendText`. */
export type NoteOptions = { level?: "info" | "error"; isAnew?: boolean };

/** What every part of the scheduler works with. */
export type SchedulerResources = SchedulerMemory & {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tokens: Tokens;
  readonly dags: DagCache;
  /** By name; the first is the default. */
  readonly executors: ReadonlyMap<string, Executor>;
  /** Why the execution API does not answer this process; null = it answers, or this process has never reached it. */
  readonly probeApi: () => Promise<string | null>;
  /** Adds a line to a try's log when its worker cannot any more. Never rejects, since a log must not fail a recovery. */
  readonly noteInTryLog: (logPath: string, message: string, how?: NoteOptions) => Promise<void>;
  /** Named points at which tests hold a race open; awaited. */
  readonly pause: (point: PausePoint) => Promise<void>;
};

/** Named points at which a test can stop a scheduler. */
export type PausePoint =
  | "after-due-dags"
  | "after-backfill-lock"
  | "after-claim"
  | "after-expansion"
  | "after-adoption-asked"
  | "after-candidates"
  | "after-queue-commit"
  | "after-hand-over"
  | "before-launch-record"
  | "before-refusal";

export type SchedulerOptions = {
  readonly jobId: () => number;
  readonly parallelism: number;
  readonly maxRunsToCreate: number;
  readonly maxRunsToEvaluate: number;
  readonly maxInstancesPerQuery: number;
  readonly createScheduledRuns: boolean;
  readonly fullScanSec: number;
  readonly idleSleepSec: number;
  readonly heartbeatSec: number;
  readonly healthThresholdSec: number;
  readonly orphanCheckSec: number;
  readonly silentTrySec: number;
  readonly silentTryCheckSec: number;
  /** The heartbeat interval of API servers. */
  readonly apiBeatSec: number;
  /** How long workers go on without the execution API. */
  readonly apiOutageSec: number;
  readonly queuedTimeoutSec: number;
  readonly queuedTimeoutCheckSec: number;
  /** Lifetime of the token with which a workload is started: longer than one may be queued. */
  readonly startTokenTtlSec: number;
  /** How long a run may be stalled before Lazarus revives it, and the time between two attempts; 0 = never. */
  readonly lazarusSec: number;
  readonly lazarusAttempts: number;
  /** Callbacks handed over in one pass. */
  readonly maxCallbacks: number;
  /** Passes after which the loop ends; -1 = never. */
  readonly maxPasses: number;
  /** Only passes that found nothing to do count towards `maxPasses`. */
  readonly countIdlePassesOnly: boolean;
  /** Runs of each DAG whose rendered fields are kept; 0 = all. */
  readonly runsWithRenderedFields: number;
  readonly poolMetricsSec: number;
  readonly instanceMetricsSec: number;
  readonly runMetricsSec: number;
  readonly triggerTimeoutCheckSec: number;
};
