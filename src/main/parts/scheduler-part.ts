import { type Config, readJwtSecret } from "../../config/index.ts";
import { createTokens, type Logger, systemClock } from "../../platform/index.ts";
import { createDagCache, type Scheduler, startScheduler } from "../../scheduler/index.ts";
import type { Store } from "../../store/index.ts";
import { createExecutors } from "../executors.ts";
import { createTryLogNote } from "../note-in-try-log.ts";
import type { Part } from "./part.ts";

export type SchedulerPart = Part & { readonly scheduler: Scheduler };

/** Starts a scheduler with its executors; their workers reach the execution API at `apiUrl`. */
export async function startSchedulerPart(config: Config, store: Store, apiUrl: string, logger: Logger): Promise<SchedulerPart> {
  let scheduler: Scheduler | null = null;
  const executors = createExecutors(config, apiUrl, () => scheduler?.wake(), logger);
  for (const executor of executors.values()) await executor.start();
  const { scheduler: options, core } = config;
  const resources = {
    store,
    clock: systemClock,
    logger,
    tokens: createTokens(readJwtSecret(config)),
    dags: createDagCache(),
    executors,
    pictures: new Map(),
    limbo: new Set<string>(),
    noteInTryLog: createTryLogNote(config, logger),
    pause: async () => {},
  };
  const started = await startScheduler(resources, {
    parallelism: core.parallelism,
    maxRunsToCreate: options.max_dagruns_to_create_per_loop,
    maxRunsToEvaluate: options.max_dagruns_per_loop_to_schedule,
    maxInstancesPerQuery: options.max_tis_per_query,
    createScheduledRuns: options.use_job_schedule,
    fullScanSec: options.full_scan_interval,
    idleSleepSec: options.scheduler_idle_sleep_time,
    heartbeatSec: options.scheduler_heartbeat_sec,
    healthThresholdSec: options.scheduler_health_check_threshold,
    orphanCheckSec: options.orphaned_tasks_check_interval,
    silentTrySec: options.task_instance_heartbeat_timeout,
    silentTryCheckSec: options.task_instance_heartbeat_timeout_detection_interval,
    queuedTimeoutSec: options.task_queued_timeout,
    queuedTimeoutCheckSec: options.task_queued_timeout_check_interval,
    lazarusSec: options.lazarus_interval,
    lazarusAttempts: options.lazarus_max_attempts,
  });
  scheduler = started;
  return {
    scheduler: started,
    async stop() {
      // Executors first: what they hand back is requeued by the loop, which still runs.
      await Promise.all([...executors.values()].map((executor) => executor.end(config.workers.graceful_shutdown_sec * 1_000)));
      await started.stop();
    },
  };
}
