import type { Config } from "../../config/index.ts";
import type { JobType } from "../../contracts/index.ts";

/** Seconds without a heartbeat after which a job of each type counts as dead. */
export function healthThresholds({ scheduler, dag_processor, triggerer }: Config): Record<JobType, number> {
  return {
    SchedulerJob: scheduler.scheduler_health_check_threshold,
    DagProcessorJob: dag_processor.health_check_threshold,
    TriggererJob: triggerer.triggerer_health_check_threshold,
    ApiServerJob: scheduler.scheduler_health_check_threshold,
    WorkerJob: scheduler.scheduler_health_check_threshold,
  };
}
