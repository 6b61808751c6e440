import type { EnvironmentSecrets } from "../config/index.ts";
import type { Clock, Logger, Metrics, Tokens } from "../platform/index.ts";
import type { DagCache } from "../scheduler/commands/index.ts";
import type { Cipher, Store } from "../store/index.ts";
import type { LogReceiver } from "../task-logs/index.ts";

/** What answering a running task takes. */
export type CallResources = {
  readonly store: Store;
  readonly dags: DagCache;
  readonly tokens: Tokens;
  readonly cipher: Cipher;
  readonly secrets: EnvironmentSecrets;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export type ExecutionApiResources = CallResources & {
  /** Where logs go that workers send here. */
  readonly logs: LogReceiver;
};

export type ExecutionApiOptions = {
  /** Lifetime of a running try's token, in seconds. */
  readonly tokenTtlSec: number;
  readonly xcomMaxBytes: number;
  /** Elements that a result may have which other tasks are mapped over. */
  readonly maxMapLength: number;
  /** Longest JSON of a rendered field that is kept whole. */
  readonly templatedFieldMaxLength: number;
  readonly allowedRunId: RegExp;
  readonly defaultExecutor: string;
  /** Whether a run may be triggered for a logical date to come. */
  readonly allowTriggerInFuture: boolean;
  /** A queue worker silent for this long has lost its name. */
  readonly workerLostAfterSec: number;
};
