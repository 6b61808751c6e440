import { join } from "node:path";
import { type Config, environmentForUserCode } from "../config/index.ts";
import { createLocalExecutor, type Executor } from "../executors/index.ts";
import { BaramError, findPackageRoot, type Logger } from "../platform/index.ts";
import type { SupervisorOptions } from "../worker/supervisor/index.ts";

const KNOWN = ["LocalExecutor", "SequentialExecutor"] as const;

/** The names in [core] executor, the default first. Throws `executor_unknown` and `executor_twice`. */
export function executorNames(config: Config): string[] {
  const names = config.core.executor
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  for (const name of names) {
    if (!KNOWN.some((known) => known === name)) {
      throw new BaramError("executor_unknown", `[core] executor names "${name}", which is none of ${KNOWN.join(", ")}.`, {
        name,
      });
    }
  }
  if (names.length === 0 || new Set(names).size < names.length)
    throw new BaramError(
      "executor_twice",
      "[core] executor must name one executor or several different ones, separated by commas.",
      { names },
    );
  return names;
}

/**
 * The configured executor that a DAG file means: by its name, or by its short form ("local" for LocalExecutor). null = none.
 */
export function resolveExecutor(named: string, configured: readonly string[]): string | null {
  return configured.find((name) => name === named || name.replace(/Executor$/, "").toLowerCase() === named) ?? null;
}

/** Makes the configured executors, keyed by name. `apiUrl`: where their workers reach the execution API. */
export function createExecutors(config: Config, apiUrl: string, onEvent: () => void, logger: Logger): Map<string, Executor> {
  const executors = new Map<string, Executor>();
  for (const name of executorNames(config)) {
    const parallelism = name === "SequentialExecutor" ? 1 : config.core.parallelism;
    executors.set(
      name,
      createLocalExecutor(
        {
          name,
          parallelism,
          onEvent,
          supervisorEntry: distFile("main/local-supervisor.js"),
          supervisorOptions: supervisorOptions(config, apiUrl, parallelism),
          environment: environmentForUserCode(),
          killGraceMs: config.core.killed_task_cleanup_time * 1_000,
        },
        logger,
      ),
    );
  }
  return executors;
}

function supervisorOptions(config: Config, apiUrl: string, concurrency: number): SupervisorOptions {
  return {
    apiUrl: `${apiUrl}/execution`,
    concurrency,
    runnerEntry: distFile("worker/runner/entry.js"),
    environment: environmentForUserCode(),
    cacheFolder: moduleCacheFolder(config),
    resolveFrom: [config.core.dags_folder, process.cwd()],
    logFolder: config.logging.base_log_folder,
    maxLineBytes: config.logging.max_line_bytes,
    maxFileBytes: config.logging.max_file_bytes,
    heartbeatSec: config.scheduler.task_instance_heartbeat_sec,
    maxFailedHeartbeats: config.workers.max_failed_heartbeats,
    killGraceSec: config.core.killed_task_cleanup_time,
    retryWindowSec: config.workers.execution_api_retry_window,
    recycleAfterTries: config.local_executor.recycle_after_tries,
    recycleMemoryMb: config.local_executor.recycle_memory_mb,
    idleRunnerSec: config.local_executor.idle_runner_timeout,
    freshProcessPerTry: config.local_executor.isolation === "process",
  };
}

export function moduleCacheFolder(config: Config): string {
  return join(config.home, "cache", "modules");
}

/** A compiled file of this package. Processes are started from dist, also when this code itself runs from its sources. */
export function distFile(path: string): string {
  return join(findPackageRoot(), "dist", path);
}

/** [api] base_url without a slash at its end, or null. */
export function baseUrl(config: Config): string | null {
  return config.api.base_url?.replace(/\/+$/, "") ?? null;
}
