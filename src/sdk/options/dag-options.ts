import type { DagCallback } from "../context/context.ts";
import type { ParamsInput } from "../dag/params.ts";
import type { ScheduleInput } from "../schedule/schedule.ts";
import type { DurationInput } from "../values/duration.ts";
import type { InstantInput } from "../values/instant.ts";
import type { CallbackInput, CommonTaskOptions } from "./task-options.ts";

export type DagOptions = {
  /** Letters, digits, `_`, `.`, `-`; 1 to 250. */
  dagId: string;
  /** Default null: the DAG runs only when triggered. */
  schedule?: ScheduleInput;
  startDate?: InstantInput;
  endDate?: InstantInput;
  /** IANA zone of the schedule and of instants without an offset. Default: the installation's, "UTC" unless set. */
  timezone?: string;
  /** Also run the past dates of the schedule. Default: the installation's, false unless set. */
  catchup?: boolean;
  displayName?: string;
  description?: string;
  /** Markdown. */
  docMd?: string;
  tags?: readonly string[];
  /** Default: the installation's, 16 unless set; 1 for @continuous. */
  maxActiveRuns?: number;
  /** Per run of the DAG, as in Airflow 3. Default: the installation's, 16 unless set. */
  maxActiveTasks?: number;
  /** Pause the DAG after this number of failed runs in a row; 0 = never. Default: the installation's, 0 unless set. */
  maxConsecutiveFailedDagRuns?: number;
  dagrunTimeout?: DurationInput;
  /**
   * As soon as a task fails without further retries, running tasks fail and the others are skipped, except teardowns. All tasks
   * must have the trigger rule all_success.
   */
  failFast?: boolean;
  isPausedUponCreation?: boolean;
  params?: ParamsInput;
  /** Options for all tasks that do not set them themselves. */
  defaultArgs?: CommonTaskOptions;
  /** Default executor of the tasks. */
  executor?: string;
  onSuccess?: CallbackInput<DagCallback>;
  onFailure?: CallbackInput<DagCallback>;
};

const NAMES: Record<keyof DagOptions, true> = {
  dagId: true,
  schedule: true,
  startDate: true,
  endDate: true,
  timezone: true,
  catchup: true,
  displayName: true,
  description: true,
  docMd: true,
  tags: true,
  maxActiveRuns: true,
  maxActiveTasks: true,
  maxConsecutiveFailedDagRuns: true,
  dagrunTimeout: true,
  failFast: true,
  isPausedUponCreation: true,
  params: true,
  defaultArgs: true,
  executor: true,
  onSuccess: true,
  onFailure: true,
};
export const DAG_OPTION_NAMES: readonly string[] = Object.keys(NAMES);
