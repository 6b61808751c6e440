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
  /** Under which the API knows this worker: no two that may be given the same workload are alike. Default: the host's name. */
  hostname?: string;
  /** The execution API, e.g. http://127.0.0.1:8080/execution. */
  apiUrl: string;
  concurrency: number;
  runnerEntry: string;
  /** What a runner's environment is: nothing of Baram's own, no token. */
  environment: Readonly<Record<string, string>>;
  cacheFolder: string;
  /** What the module cache may hold beside the modules in use. */
  cacheMaxBytes: number;
  resolveFrom: readonly string[];
  logFolder: string;
  /** Path of the compiled thread that writes the logs. */
  logThreadEntry: string;
  /** Where logs are brought beside the log folder; null = nowhere. */
  remoteLogs: RemoteLogs | null;
  /** Whether nobody reads the log folder: then what a try has written goes ahead of its end. */
  isLogFolderPrivate: boolean;
  /** How long a store may be away when a log is complete; what it lacks then is not brought any more. */
  logEndWindowSec: number;
  maxLineBytes: number;
  maxFileBytes: number;
  heartbeatSec: number;
  /** Heartbeats that may fail in a row before the running tries are stopped. */
  maxFailedHeartbeats: number;
  killGraceSec: number;
  retryWindowSec: number;
  /** How long a module may be asked for before its workload is given back. */
  moduleWindowSec: number;
  recycleAfterTries: number;
  recycleMemoryMb: number;
  idleRunnerSec: number;
  freshProcessPerTry: boolean;
};
