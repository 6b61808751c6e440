// All states and kinds that are passed between processes or stored in the database. Values are Airflow 3's.

export const TaskInstanceState = {
  Scheduled: "scheduled",
  Queued: "queued",
  Running: "running",
  Success: "success",
  Failed: "failed",
  UpForRetry: "up_for_retry",
  UpForReschedule: "up_for_reschedule",
  UpstreamFailed: "upstream_failed",
  Skipped: "skipped",
  Removed: "removed",
  Restarting: "restarting",
  Deferred: "deferred",
} as const;
/** A task instance's state; `null` (Airflow's "no status") means that the scheduler has not set one yet. */
export type TaskInstanceState = (typeof TaskInstanceState)[keyof typeof TaskInstanceState];

export const TASK_INSTANCE_STATES: readonly TaskInstanceState[] = Object.values(TaskInstanceState);

/** End states: a task instance leaves them only when it is cleared. */
export const TERMINAL_STATES: readonly TaskInstanceState[] = ["success", "failed", "skipped", "upstream_failed", "removed"];

export function isTerminal(state: TaskInstanceState | null): boolean {
  return state !== null && TERMINAL_STATES.includes(state);
}

export const DagRunState = { Queued: "queued", Running: "running", Success: "success", Failed: "failed" } as const;
export type DagRunState = (typeof DagRunState)[keyof typeof DagRunState];
export const DAG_RUN_STATES: readonly DagRunState[] = Object.values(DagRunState);

export const DagRunType = {
  Scheduled: "scheduled",
  Manual: "manual",
  Backfill: "backfill",
  AssetTriggered: "asset_triggered",
} as const;
export type DagRunType = (typeof DagRunType)[keyof typeof DagRunType];

/** The origin of a DAG run, as in Airflow's `triggered_by`. */
export type DagRunTriggeredBy = "cli" | "operator" | "rest_api" | "ui" | "test" | "timetable" | "backfill";

export const TriggerRule = {
  AllSuccess: "all_success",
  AllFailed: "all_failed",
  AllDone: "all_done",
  AllDoneMinOneSuccess: "all_done_min_one_success",
  AllDoneSetupSuccess: "all_done_setup_success",
  OneSuccess: "one_success",
  OneFailed: "one_failed",
  OneDone: "one_done",
  NoneFailed: "none_failed",
  NoneSkipped: "none_skipped",
  NoneFailedMinOneSuccess: "none_failed_min_one_success",
  AllSkipped: "all_skipped",
  Always: "always",
} as const;
export type TriggerRule = (typeof TriggerRule)[keyof typeof TriggerRule];
export const TRIGGER_RULES: readonly TriggerRule[] = Object.values(TriggerRule);

export const WeightRule = { Downstream: "downstream", Upstream: "upstream", Absolute: "absolute" } as const;
export type WeightRule = (typeof WeightRule)[keyof typeof WeightRule];

/** The roles with a row in the `job` table. */
export type JobType = "SchedulerJob" | "DagProcessorJob" | "ApiServerJob" | "TriggererJob" | "WorkerJob";
