import type { JsonObject, TriggerRule, WeightRule } from "../../contracts/index.ts";
import type { TaskCallback } from "../context/context.ts";
import type { BaseNotifier } from "../context/notifier.ts";
import type { DurationInput } from "../values/duration.ts";
import type { InstantInput } from "../values/instant.ts";

/** Options of every task, apart from its id. `defaultArgs` of a DAG or group can set them too. */
export type CommonTaskOptions = {
  displayName?: string;
  /** Markdown. */
  docMd?: string;
  owner?: string;
  /** Default "all_success". A teardown always has "all_done_setup_success". */
  triggerRule?: TriggerRule;
  /** Default 0. */
  retries?: number;
  /** Default "5m". */
  retryDelay?: DurationInput;
  /** Factor by which the delay grows with each try; true = 2. Default: a constant delay. */
  retryExponentialBackoff?: boolean | number;
  maxRetryDelay?: DurationInput;
  /** If one execution takes longer, the try fails and may be retried. */
  executionTimeout?: DurationInput;
  priorityWeight?: number;
  weightRule?: WeightRule;
  pool?: string;
  poolSlots?: number;
  queue?: string;
  /** Name or alias of a configured executor. Default: the DAG's executor, or the first one of the deployment. */
  executor?: string;
  executorConfig?: JsonObject;
  dependsOnPast?: boolean;
  /** Implies `dependsOnPast`. */
  waitForDownstream?: boolean;
  ignoreFirstDependsOnPast?: boolean;
  /** With `dependsOnPast`: wait for the previous run also before the task is skipped. */
  waitForPastDependsBeforeSkipping?: boolean;
  maxActiveTisPerDag?: number;
  maxActiveTisPerDagrun?: number;
  /** Deferred instances also count towards `maxActiveTisPerDag` and `maxActiveTisPerDagrun`. Default false. */
  maxActiveTisIncludeDeferred?: boolean;
  isSetup?: boolean;
  isTeardown?: boolean;
  /** For a teardown: its failure fails the DAG run. */
  onFailureFailDagrun?: boolean;
  startDate?: InstantInput;
  endDate?: InstantInput;
  /** false = the returned value is not stored. Default true. */
  doXcomPush?: boolean;
  /** Also push each property of the returned object as an XCom of its own. */
  multipleOutputs?: boolean;
  /**
   * For a mapped task: a template of the name that is shown for an instance instead of its map index. Rendered after the instance
   * has run.
   */
  mapIndexTemplate?: string;
  /** Recipients of emails about failed tries: a list, or a text with addresses separated by commas or semicolons. */
  email?: string | readonly string[];
  /** Send an email when the last try has failed. Default: `[email] default_email_on_failure`, true. */
  emailOnFailure?: boolean;
  /** Send an email when a try has failed and will be retried. Default: `[email] default_email_on_retry`, true. */
  emailOnRetry?: boolean;
  onExecute?: CallbackInput<TaskCallback>;
  onSuccess?: CallbackInput<TaskCallback>;
  onFailure?: CallbackInput<TaskCallback>;
  onRetry?: CallbackInput<TaskCallback>;
  onSkipped?: CallbackInput<TaskCallback>;
};

/** A callback, a notifier, or a list of them, which run in order. */
export type CallbackInput<C> = C | BaseNotifier | readonly (C | BaseNotifier)[];

export type TaskOptions = CommonTaskOptions & {
  /** Letters, digits, `_`, `.`, `-`; 1 to 250, including the prefix of its groups. */
  taskId: string;
};

const COMMON: Record<keyof CommonTaskOptions, true> = {
  displayName: true,
  docMd: true,
  owner: true,
  triggerRule: true,
  retries: true,
  retryDelay: true,
  retryExponentialBackoff: true,
  maxRetryDelay: true,
  executionTimeout: true,
  priorityWeight: true,
  weightRule: true,
  pool: true,
  poolSlots: true,
  queue: true,
  executor: true,
  executorConfig: true,
  dependsOnPast: true,
  waitForDownstream: true,
  ignoreFirstDependsOnPast: true,
  waitForPastDependsBeforeSkipping: true,
  maxActiveTisPerDag: true,
  maxActiveTisPerDagrun: true,
  maxActiveTisIncludeDeferred: true,
  isSetup: true,
  isTeardown: true,
  onFailureFailDagrun: true,
  startDate: true,
  endDate: true,
  doXcomPush: true,
  multipleOutputs: true,
  mapIndexTemplate: true,
  email: true,
  emailOnFailure: true,
  emailOnRetry: true,
  onExecute: true,
  onSuccess: true,
  onFailure: true,
  onRetry: true,
  onSkipped: true,
};
export const COMMON_TASK_OPTION_NAMES: readonly string[] = Object.keys(COMMON);
/** Options of every task: they apply to all instances of a mapped task. */
export const TASK_OPTION_NAMES: readonly string[] = ["taskId", ...COMMON_TASK_OPTION_NAMES];

/** Merges sets of options; the last set wins. An option set to `undefined` counts as not given. */
export function mergeOptions<T extends object>(...sets: readonly (T | undefined)[]): T {
  const merged: Record<string, unknown> = {};
  for (const set of sets) {
    for (const [name, value] of Object.entries(set ?? {})) if (value !== undefined) merged[name] = value;
  }
  return merged as T;
}
