/** `api`: the API server's own log store. */
export type RemoteLogs = { kind: "api" };

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
  resolveFrom: readonly string[];
  logFolder: string;
  /** Path of the compiled thread that writes the logs. */
  logThreadEntry: string;
  /** Where logs are brought beside the log folder, so that they can be read elsewhere; null = nowhere. */
  remoteLogs: RemoteLogs | null;
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
