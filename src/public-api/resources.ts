import type { JobType } from "../contracts/index.ts";
import type { Clock, Logger, Metrics, Tokens } from "../platform/index.ts";
import type { DagCache } from "../scheduler/commands/index.ts";
import type { Cipher, Store } from "../store/index.ts";
import type { LogStore } from "../task-logs/index.ts";

export type PublicApiResources = {
  readonly store: Store;
  readonly dags: DagCache;
  readonly tokens: Tokens;
  readonly logs: LogStore;
  /** Connections and variables are encrypted at rest. */
  readonly cipher: Cipher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The executor of tasks that name none. */
  readonly defaultExecutor: string;
  /** Names of all that are configured. */
  readonly executors: readonly string[];
};

export type PublicApiOptions = {
  /** Lifetime of a token from POST /auth/token, in seconds. */
  readonly tokenTtlSec: number;
  /** The same for POST /auth/token/cli. */
  readonly cliTokenTtlSec: number;
  /** Page size of list answers when the request names none. */
  readonly fallbackPageLimit: number;
  /** Largest page, whatever was asked for. */
  readonly maximumPageLimit: number;
  /** Whether a run may be triggered for a logical date to come. */
  readonly allowTriggerInFuture: boolean;
  /** A role of that type silent for this long is unhealthy, in seconds. */
  readonly healthThresholdSec: Readonly<Record<JobType, number>>;
  /** Run ids that people may choose. */
  readonly allowedRunId: RegExp;
  /** A queue worker silent for this long is lost. */
  readonly workerLostAfterSec: number;
  readonly version: string;
};
