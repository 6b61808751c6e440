import type { Accounts } from "../../platform/index.ts";
import type { S3Folder } from "../../task-logs/index.ts";

/** The API server's own log store, or S3, with the keys of a connection or what the SDK finds itself. */
export type RemoteLogs =
  | { kind: "api" }
  | {
      kind: "s3";
      folder: S3Folder;
      connId: string | null;
      /** Whether a log that is complete there is deleted here. */
      deleteLocal: boolean;
    };

export type SupervisorOptions = {
  /** The worker's name at the API, unique among workers that may get the same workload. Default: the host's name. */
  hostname?: string;
  /** The execution API, e.g. http://127.0.0.1:8080/execution. */
  apiUrl: string;
  /** A queue worker's own token. */
  workerToken?: string;
  concurrency: number;
  runnerEntry: string;
  /** The environment of runners: nothing of Baram's own, no token. */
  environment: Readonly<Record<string, string>>;
  /** The operating system users that run tasks; null = this process's own. */
  accounts: Accounts | null;
  /** Unique on this machine; the cgroups of the runners have this name. Default: the process id. */
  boxesName?: string;
  cacheFolder: string;
  /** The size limit of the module cache, not counting modules in use. */
  cacheMaxBytes: number;
  resolveFrom: readonly string[];
  logFolder: string;
  /** Path of the compiled thread that writes the logs. */
  logThreadEntry: string;
  /** Where logs are shipped in addition to the log folder; null = nowhere. */
  remoteLogs: RemoteLogs | null;
  /** Whether the log folder is not readable by the API: then a try's log is shipped before its end is reported. */
  isLogFolderPrivate: boolean;
  /** How long shipping a complete log is retried while the store is away; after that the rest is not shipped. */
  logEndWindowSec: number;
  maxLineBytes: number;
  /** Parts of names that are sensitive in addition to Baram's own list. */
  sensitiveNames: readonly string[];
  maxFileBytes: number;
  heartbeatSec: number;
  /** Heartbeats that may fail in a row before the running tries are stopped; 0 = any number, within `apiOutageSec`. */
  maxFailedHeartbeats: number;
  /** How long running tries go on without a heartbeat that was delivered. */
  apiOutageSec: number;
  killGraceSec: number;
  retryWindowSec: number;
  /** How long fetching a module is retried before its workload is returned. */
  moduleWindowSec: number;
  recycleAfterTries: number;
  recycleMemoryMb: number;
  idleRunnerSec: number;
  freshProcessPerTry: boolean;
};
