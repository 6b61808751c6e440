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
  /** IANA zone of the schedule and of instants written without one. Default: the installation's, "UTC" unless set. */
  timezone?: string;
  /** Run the schedule's past points, too. Default: the installation's, false unless set. */
  catchup?: boolean;
  displayName?: string;
  description?: string;
  /** Markdown. */
  docMd?: string;
  tags?: readonly string[];
  /** Default: the installation's, 16 unless set; 1 for @continuous. */
  maxActiveRuns?: number;
  /** In each run of the DAG, as in Airflow 3. Default: the installation's, 16 unless set. */
  maxActiveTasks?: number;
  /** Pause the DAG after so many failed runs in a row; 0 = never. Default: the installation's, 0 unless set. */
  maxConsecutiveFailedDagRuns?: number;
  dagrunTimeout?: DurationInput;
  /** As soon as a task fails for good, what runs is failed and the rest skipped, save teardowns. Needs all_success everywhere. */
  failFast?: boolean;
  isPausedUponCreation?: boolean;
  params?: ParamsInput;
  /** Options for every task that does not set them itself. */
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
