import type { BlockList } from "node:net";
import type { JobType } from "../contracts/index.ts";
import type { Clock, Logger, Metrics, NameRule, Tokens } from "../platform/index.ts";
import type { DagCache } from "../scheduler/commands/index.ts";
import type { Cipher, Store } from "../store/index.ts";
import type { LogStore } from "../task-logs/index.ts";
import type { HashPool, KnownUsers } from "./auth/index.ts";

export type PublicApiResources = {
  readonly store: Store;
  readonly dags: DagCache;
  readonly tokens: Tokens;
  readonly users: KnownUsers;
  /** Hashes the passwords of logins. */
  readonly hashes: HashPool;
  readonly logs: LogStore;
  /** Encrypts connections and variables at rest. */
  readonly cipher: Cipher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The executor of tasks that name none. */
  readonly defaultExecutor: string;
  /** Names of all configured executors. */
  readonly executors: readonly string[];
};

export type PublicApiOptions = {
  /** Lifetime of a token from POST /auth/token, in seconds. */
  readonly tokenTtlSec: number;
  /** The same for POST /auth/token/cli. */
  readonly cliTokenTtlSec: number;
  /** Page size of lists if the request names none. */
  readonly fallbackPageLimit: number;
  /** Largest page size; larger limits are reduced to it. */
  readonly maximumPageLimit: number;
  /** Whether a run may be triggered with a logical date in the future. */
  readonly allowTriggerInFuture: boolean;
  /** In seconds: a role is unhealthy if its last heartbeat is older. */
  readonly healthThresholdSec: Readonly<Record<JobType, number>>;
  /** Pattern of the run ids that clients may choose. */
  readonly allowedRunId: RegExp;
  /** In seconds: a queue worker is lost if its last heartbeat is older. */
  readonly workerLostAfterSec: number;
  /** Their X-Forwarded-For tells the address of a client; null = there are none. */
  readonly trustedProxies: BlockList | null;
  /** Whose values are never shown. */
  readonly isSensitiveName: NameRule;
  readonly version: string;
};
