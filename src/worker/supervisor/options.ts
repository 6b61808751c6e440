export type SupervisorOptions = {
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
  maxLineBytes: number;
  maxFileBytes: number;
  heartbeatSec: number;
  /** Heartbeats that may fail in a row before the running tries are stopped. */
  maxFailedHeartbeats: number;
  killGraceSec: number;
  retryWindowSec: number;
  recycleAfterTries: number;
  recycleMemoryMb: number;
  idleRunnerSec: number;
  freshProcessPerTry: boolean;
};
