import { join } from "node:path";
import { type Config, environmentForUserCode, listOf, sensitiveNames } from "../config/index.ts";
import type { SupervisorOptions } from "../worker/supervisor/index.ts";
import { moduleFolder, openAccounts } from "./accounts.ts";
import { distFile } from "./dist-file.ts";
import { readRemoteLogs } from "./remote-logs.ts";

/** How long a worker that is done waits for an unreachable log store: a waiting container costs money. */
const LOG_END_WINDOW_SEC = 60;

/** A supervisor's options on a machine without the API server's folders; it writes only below `folder`. */
export function supervisorOptionsElsewhere(
  config: Config,
  apiUrl: string,
  concurrency: number,
  folder: string,
): SupervisorOptions {
  return {
    ...supervisorOptions(config, apiUrl, concurrency),
    cacheFolder: moduleFolder(config, join(folder, "modules")),
    logFolder: join(folder, "logs"),
    remoteLogs: readRemoteLogs(config) ?? { kind: "api" },
    isLogFolderPrivate: true,
    logEndWindowSec: LOG_END_WINDOW_SEC,
  };
}

/** A supervisor's options, wherever it runs. `apiUrl`: Baram's API without the path of the execution API. */
export function supervisorOptions(config: Config, apiUrl: string, concurrency: number): SupervisorOptions {
  return {
    apiUrl: `${apiUrl}/execution`,
    concurrency,
    runnerEntry: distFile("worker/runner/entry.js"),
    environment: environmentForUserCode(listOf(config.workers.pass_environment)),
    accounts: openAccounts(config),
    cacheFolder: moduleCacheFolder(config),
    cacheMaxBytes: config.workers.module_cache_max_mb * 1024 * 1024,
    resolveFrom: [config.core.dags_folder, process.cwd()],
    logFolder: config.logging.base_log_folder,
    logThreadEntry: distFile("task-logs/append-thread.js"),
    remoteLogs: readRemoteLogs(config),
    isLogFolderPrivate: false,
    logEndWindowSec: 3_600,
    maxLineBytes: config.logging.max_line_bytes,
    sensitiveNames: sensitiveNames(config),
    maxFileBytes: config.logging.max_file_bytes,
    heartbeatSec: config.scheduler.task_instance_heartbeat_sec,
    maxFailedHeartbeats: config.workers.max_failed_heartbeats,
    apiOutageSec: config.workers.execution_api_outage_limit,
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
  return moduleFolder(config, join(config.home, "cache", "modules"));
}
