import type { EnvironmentSecrets } from "../config/index.ts";
import type { Clock, Logger, Metrics, Tokens } from "../platform/index.ts";
import type { DagCache } from "../scheduler/commands/index.ts";
import type { Cipher, Store } from "../store/index.ts";
import type { LogReceiver, LogStore } from "../task-logs/index.ts";
import type { LiveCallers } from "./live-callers.ts";

/** What is needed to answer calls of running tasks. */
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
  /** Receives the logs that workers send. */
  readonly logs: LogReceiver;
  /** Where logs are read, as the public API does it. */
  readonly logStore: LogStore;
};

export type ExecutionApiOptions = {
  /** Lifetime of a running try's token, in seconds. */
  readonly tokenTtlSec: number;
  readonly xcomMaxBytes: number;
  /** The most elements of a result that other tasks are mapped over. */
  readonly maxMapLength: number;
  /** The longest JSON of a rendered field that is not truncated. */
  readonly templatedFieldMaxLength: number;
  readonly allowedRunId: RegExp;
  readonly defaultExecutor: string;
  /** Whether a run may be triggered for a future logical date. */
  readonly allowTriggerInFuture: boolean;
  /** After this many seconds of silence another worker may take a queue worker's name. */
  readonly workerLostAfterSec: number;
};

/** With what the API keeps for itself. */
export type ApiResources = ExecutionApiResources & { readonly live: LiveCallers };
