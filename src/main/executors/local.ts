import { type Config, environmentForUserCode } from "../../config/index.ts";
import { createLocalExecutor, type Executor, type ExecutorOptions } from "../../executors/index.ts";
import type { Logger } from "../../platform/index.ts";
import { distFile } from "../dist-file.ts";
import { supervisorOptions } from "../supervisor-options.ts";

/** LocalExecutor, and SequentialExecutor, which is one with a parallelism of 1. */
export function makeLocalExecutor(config: Config, options: ExecutorOptions, apiUrl: string, logger: Logger): Executor {
  return createLocalExecutor(
    {
      ...options,
      supervisorEntry: distFile("main/local-supervisor.js"),
      supervisorOptions: supervisorOptions(config, apiUrl, options.parallelism),
      environment: environmentForUserCode(),
      killGraceMs: config.core.killed_task_cleanup_time * 1_000,
    },
    logger,
  );
}
