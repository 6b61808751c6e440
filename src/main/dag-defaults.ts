import { IANAZone } from "luxon";
import type { Config } from "../config/index.ts";
import { type DagDefaults, dagDefaultsSchema } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";

/** This installation's defaults for settings that a DAG file leaves out. */
export function dagDefaultsOf({ core, scheduler, operators }: Config): DagDefaults {
  const timezone = core.default_timezone;
  if (!IANAZone.isValidZone(timezone))
    throw new BaramError(
      "config_invalid",
      `BARAM__CORE__DEFAULT_TIMEZONE is "${timezone}", but must be an IANA zone such as "UTC" or "Asia/Seoul".`,
      { timezone },
    );
  return dagDefaultsSchema.parse({
    catchup: scheduler.catchup_by_default,
    cronIntervals: scheduler.create_cron_data_intervals,
    deltaIntervals: scheduler.create_delta_data_intervals,
    maxActiveRuns: core.max_active_runs_per_dag,
    maxActiveTasks: core.max_active_tasks_per_dag,
    maxConsecutiveFailedDagRuns: core.max_consecutive_failed_dag_runs_per_dag,
    owner: operators.default_owner,
    queue: operators.default_queue,
    timezone,
    retries: core.default_task_retries,
    retryDelaySec: core.default_task_retry_delay,
    weightRule: core.default_task_weight_rule,
    executionTimeoutSec: core.default_task_execution_timeout,
  });
}
