import type { JsonObject, TriggerRule, WeightRule } from "../../contracts/index.ts";
import type { TaskCallback } from "../context/context.ts";
import type { BaseNotifier } from "../context/notifier.ts";
import type { DurationInput } from "../values/duration.ts";
import type { InstantInput } from "../values/instant.ts";

/** The options every task takes beside its id; also what `defaultArgs` of a DAG or a group may set. */
export type CommonTaskOptions = {
  displayName?: string;
  /** Markdown. */
  docMd?: string;
  owner?: string;
  /** Default "all_success". Of a teardown it is always "all_done_setup_success". */
  triggerRule?: TriggerRule;
  /** Default 0. */
  retries?: number;
  /** Default "5m". */
  retryDelay?: DurationInput;
  /** The factor by which the delay grows with each try; true = 2. Default: a constant delay. */
  retryExponentialBackoff?: boolean | number;
  maxRetryDelay?: DurationInput;
  /** The task is failed, and may be retried, when one execution takes longer. */
  executionTimeout?: DurationInput;
  priorityWeight?: number;
  weightRule?: WeightRule;
  pool?: string;
  poolSlots?: number;
  queue?: string;
  /** Name or alias of a configured executor. Default: the DAG's, else the deployment's first. */
  executor?: string;
  executorConfig?: JsonObject;
  dependsOnPast?: boolean;
  /** Implies `dependsOnPast`. */
  waitForDownstream?: boolean;
  ignoreFirstDependsOnPast?: boolean;
  /** With `dependsOnPast`: wait for the run before even to be skipped. */
  waitForPastDependsBeforeSkipping?: boolean;
  maxActiveTisPerDag?: number;
  maxActiveTisPerDagrun?: number;
  /** Deferred instances count in `maxActiveTisPerDag` and `maxActiveTisPerDagrun`, too. Default false. */
  maxActiveTisIncludeDeferred?: boolean;
  isSetup?: boolean;
  isTeardown?: boolean;
  /** Of a teardown: its failure fails the DAG run. */
  onFailureFailDagrun?: boolean;
  startDate?: InstantInput;
  endDate?: InstantInput;
  /** false = the returned value is not kept. Default true. */
  doXcomPush?: boolean;
  /** Push each property of the returned object as an XCom of its own, too. */
  multipleOutputs?: boolean;
  /** Of a mapped task: a template, rendered when an instance has run, of the name to show for it instead of its number. */
  mapIndexTemplate?: string;
  /** Who is written to when a try fails: a list, or a text with commas or semicolons between the addresses. */
  email?: string | readonly string[];
  /** Write when the last try has failed. Default: `[email] default_email_on_failure`, true. */
  emailOnFailure?: boolean;
  /** Write when a try failed and another follows. Default: `[email] default_email_on_retry`, true. */
  emailOnRetry?: boolean;
  onExecute?: CallbackInput<TaskCallback>;
  onSuccess?: CallbackInput<TaskCallback>;
  onFailure?: CallbackInput<TaskCallback>;
  onRetry?: CallbackInput<TaskCallback>;
  onSkipped?: CallbackInput<TaskCallback>;
};

/** A callback or a notifier, or several of them, which run in order. */
export type CallbackInput<C> = C | BaseNotifier | readonly (C | BaseNotifier)[];

export type TaskOptions = CommonTaskOptions & {
  /** Letters, digits, `_`, `.`, `-`; 1 to 250, its groups' prefix included. */
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
/** Options that every task has: they hold for all instances of a mapped one. */
export const TASK_OPTION_NAMES: readonly string[] = ["taskId", ...COMMON_TASK_OPTION_NAMES];

/** Option sets laid over each other, the last one wins; an option set to `undefined` counts as not given. */
export function mergeOptions<T extends object>(...sets: readonly (T | undefined)[]): T {
  const merged: Record<string, unknown> = {};
  for (const set of sets) {
    for (const [name, value] of Object.entries(set ?? {})) if (value !== undefined) merged[name] = value;
  }
  return merged as T;
}
