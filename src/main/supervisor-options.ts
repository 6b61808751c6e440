import { join } from "node:path";
import { type Config, environmentForUserCode } from "../config/index.ts";
import type { SupervisorOptions } from "../worker/supervisor/index.ts";
import { distFile } from "./dist-file.ts";

/** What a supervisor is told, wherever it runs. `apiUrl`: Baram's API without the path of the execution API. */
export function supervisorOptions(config: Config, apiUrl: string, concurrency: number): SupervisorOptions {
  return {
    apiUrl: `${apiUrl}/execution`,
    concurrency,
    runnerEntry: distFile("worker/runner/entry.js"),
    environment: environmentForUserCode(),
    cacheFolder: moduleCacheFolder(config),
    resolveFrom: [config.core.dags_folder, process.cwd()],
    logFolder: config.logging.base_log_folder,
    logThreadEntry: distFile("task-logs/append-thread.js"),
    remoteLogs: null,
    maxLineBytes: config.logging.max_line_bytes,
    maxFileBytes: config.logging.max_file_bytes,
    heartbeatSec: config.scheduler.task_instance_heartbeat_sec,
    maxFailedHeartbeats: config.workers.max_failed_heartbeats,
    killGraceSec: config.core.killed_task_cleanup_time,
    retryWindowSec: config.workers.execution_api_retry_window,
    moduleWindowSec: 60,
    recycleAfterTries: config.local_executor.recycle_after_tries,
    recycleMemoryMb: config.local_executor.recycle_memory_mb,
    idleRunnerSec: config.local_executor.idle_runner_timeout,
    freshProcessPerTry: config.local_executor.isolation === "process",
  };
}

export function moduleCacheFolder(config: Config): string {
  return join(config.home, "cache", "modules");
}
