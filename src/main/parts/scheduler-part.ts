import type { Config } from "../../config/index.ts";
import type { Executor } from "../../executors/index.ts";
import { BaramError, type Logger, systemClock } from "../../platform/index.ts";
import { createDagCache, createSchedulerMemory, type PausePoint, type Scheduler, startScheduler } from "../../scheduler/index.ts";
import { endedTries, holdSchedulerLock, type Store } from "../../store/index.ts";
import { createApiProbe } from "../api-probe.ts";
import { createExecutors } from "../executors.ts";
import { createConnectionFinder } from "../find-connection.ts";
import { openHealthPort } from "../health/index.ts";
import { type ProcessMetrics, silentProcessMetrics } from "../metrics/index.ts";
import { createTryLogNote } from "../note-in-try-log.ts";
import { tokensOf } from "../tokens.ts";
import type { Part } from "./part.ts";

export type SchedulerPart = Part & { readonly scheduler: Scheduler; readonly executors: ReadonlyMap<string, Executor> };

/** Starts a scheduler with its executors; their workers reach the execution API at `apiUrl`. */
export async function startSchedulerPart(
  config: Config,
  store: Store,
  apiUrl: string,
  logger: Logger,
  metrics: ProcessMetrics = silentProcessMetrics,
  pause: (point: PausePoint) => Promise<void> = async () => {},
): Promise<SchedulerPart> {
  const alone = config.scheduler.use_row_level_locking ? null : await beAlone(store, logger);
  let scheduler: Scheduler | null = null;
  const around = {
    apiUrl,
    findConnection: createConnectionFinder(config, store),
    findEnded: (executor: string, ids: readonly string[]) => endedTries(store, executor, ids),
    logger,
  };
  const executors = createExecutors(config, around, () => scheduler?.wake());
  await startAll([...executors.values()]).catch(async (error: unknown) => {
    await alone?.release();
    throw error;
  });
  const { scheduler: options, core } = config;
  const resources = {
    store,
    clock: systemClock,
    logger,
    metrics: metrics.metrics,
    tokens: tokensOf(config),
    dags: createDagCache(),
    executors,
    ...createSchedulerMemory(),
    probeApi: createApiProbe(apiUrl, logger),
    noteInTryLog: createTryLogNote(config, logger),
    pause,
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
    apiBeatSec: options.job_heartbeat_sec,
    apiOutageSec: config.workers.execution_api_outage_limit,
    queuedTimeoutSec: options.task_queued_timeout,
    startTokenTtlSec: Math.max(
      config.workers.start_token_ttl,
      options.task_queued_timeout + options.task_queued_timeout_check_interval,
    ),
    queuedTimeoutCheckSec: options.task_queued_timeout_check_interval,
    lazarusSec: options.lazarus_interval,
    lazarusAttempts: options.lazarus_max_attempts,
    maxCallbacks: config.dag_processor.max_callbacks_per_loop,
    maxPasses: options.num_runs,
    countIdlePassesOnly: options.only_idle,
    runsWithRenderedFields: core.num_dag_runs_to_retain_rendered_fields,
    poolMetricsSec: options.pool_metrics_interval,
    instanceMetricsSec: options.ti_metrics_interval,
    runMetricsSec: options.dagrun_metrics_interval,
    triggerTimeoutCheckSec: options.trigger_timeout_check_interval,
  });
  scheduler = started;
  async function stop(graceMs: number): Promise<void> {
    // Executors first: the workloads that they return are requeued by the loop, which is still running.
    await Promise.all([...executors.values()].map((executor) => executor.end(graceMs)));
    await started.stop();
    await alone?.release();
  }
  const withPort = { clock: systemClock, logger, metrics };
  const health = await openHealthPort(config, "scheduler", started.life, withPort).catch(async (error: unknown) => {
    await stop(0);
    throw error;
  });
  return {
    scheduler: started,
    executors,
    healthUrl: health?.url,
    finished: Promise.race([started.finished, ...(alone ? [alone.lost] : [])]),
    async stop() {
      await stop(config.workers.graceful_shutdown_sec * 1_000);
      await health?.stop();
    },
  };
}

/** If one cannot start, the others are stopped again. */
async function startAll(executors: readonly Executor[]): Promise<void> {
  for (const [at, executor] of executors.entries()) {
    try {
      await executor.start();
    } catch (error) {
      await Promise.all(executors.slice(0, at).map((before) => before.end(0)));
      throw error;
    }
  }
}

/**
 * [scheduler] use_row_level_locking = off. Throws `scheduler_not_alone`. `lost` resolves when another scheduler has taken the lock.
 */
async function beAlone(store: Store, logger: Logger): Promise<{ lost: Promise<void>; release(): Promise<void> }> {
  let onLost = () => {};
  const lost = new Promise<void>((resolve) => {
    onLost = resolve;
  });
  const held = await holdSchedulerLock(store, () => {
    logger.error({}, "another scheduler took the lock while the database was away; this one stops");
    onLost();
  });
  if (held) return { lost, release: () => held.release() };
  throw new BaramError(
    "scheduler_not_alone",
    "Another scheduler runs, and [scheduler] use_row_level_locking is off, which allows one only. Stop the other, or leave the option on.",
    {},
  );
}
