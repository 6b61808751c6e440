import {
  ADDRESS_RULE,
  COUNT_MAX,
  isEmailAddress,
  POOL_NAME_MAX,
  POOL_SLOTS_MAX,
  type SerializedTask,
  splitAddresses,
  TEXT_MAX,
  TRIGGER_RULES,
  textFault,
  WeightRule,
} from "../../contracts/index.ts";
import type { DagCallback, TaskCallback } from "../context/context.ts";
import { BaseNotifier } from "../context/notifier.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { type InstantInput, instantToIso } from "../values/instant.ts";
import { findJsonFault } from "../values/json-fault.ts";
import { dagDefaults } from "./dag-defaults.ts";
import type { CallbackInput, CommonTaskOptions } from "./task-options.ts";

export type TaskCallbackName = "onExecute" | "onSuccess" | "onFailure" | "onRetry" | "onSkipped";

/** A task's options, validated, in the contract's units and with defaults. */
export type TaskSettings = Pick<
  SerializedTask,
  | "displayName"
  | "docMd"
  | "owner"
  | "triggerRule"
  | "retries"
  | "retryDelaySec"
  | "retryExponentialBackoff"
  | "maxRetryDelaySec"
  | "executionTimeoutSec"
  | "priorityWeight"
  | "weightRule"
  | "pool"
  | "poolSlots"
  | "queue"
  | "executor"
  | "executorConfig"
  | "dependsOnPast"
  | "waitForDownstream"
  | "ignoreFirstDependsOnPast"
  | "waitForPastDependsBeforeSkipping"
  | "maxActiveTisPerDag"
  | "maxActiveTisPerDagrun"
  | "maxActiveTisIncludeDeferred"
  | "isSetup"
  | "isTeardown"
  | "onFailureFailDagrun"
  | "startDate"
  | "endDate"
  | "email"
  | "emailOnFailure"
  | "emailOnRetry"
> & {
  doXcomPush: boolean;
  multipleOutputs: boolean;
  mapIndexTemplate: string | null;
  callbacks: Record<TaskCallbackName, readonly (TaskCallback | BaseNotifier)[]>;
};

type FlagName = {
  [N in keyof CommonTaskOptions]-?: Exclude<CommonTaskOptions[N], undefined> extends boolean ? N : never;
}[keyof CommonTaskOptions];

/**
 * @param where names the task in messages, e.g. `task "extract" of DAG "sales"`.
 * @throws DagDefinitionError TASK_INVALID_OPTION, INVALID_DURATION, INVALID_INSTANT.
 */
export function resolveTaskSettings(where: string, options: CommonTaskOptions, timezone: string): TaskSettings {
  const seconds = (name: string, input: DurationInput | undefined) =>
    input === undefined ? null : durationToSeconds(`${where}: ${name}`, input);
  const instant = (name: string, input: InstantInput | undefined) =>
    input === undefined ? null : instantToIso(`${where}: ${name}`, input, timezone);
  const text = (name: string, input: string | undefined) => checkText(where, name, input);
  const integer = (name: string, input: number | undefined, min: number, max = COUNT_MAX) =>
    checkInteger(where, name, input, min, max);
  const flag = (name: FlagName) => checkFlag(where, name, options[name]);
  const isTeardown = flag("isTeardown") ?? false;
  const waitForDownstream = flag("waitForDownstream") ?? false;
  const defaults = dagDefaults();
  const executionTimeoutSec = seconds("executionTimeout", options.executionTimeout) ?? defaults.executionTimeoutSec;
  if (executionTimeoutSec === 0) throw invalid(where, "executionTimeout", options.executionTimeout, "it must be above zero");
  return {
    displayName: text("displayName", options.displayName),
    docMd: text("docMd", options.docMd),
    owner: text("owner", options.owner) ?? defaults.owner,
    triggerRule: checkOneOf(
      where,
      "triggerRule",
      isTeardown ? "all_done_setup_success" : (options.triggerRule ?? "all_success"),
      TRIGGER_RULES,
    ),
    retries: integer("retries", options.retries, 0) ?? defaults.retries,
    retryDelaySec: seconds("retryDelay", options.retryDelay) ?? defaults.retryDelaySec,
    retryExponentialBackoff: resolveBackoff(where, options.retryExponentialBackoff),
    maxRetryDelaySec: seconds("maxRetryDelay", options.maxRetryDelay),
    executionTimeoutSec,
    priorityWeight: integer("priorityWeight", options.priorityWeight, -COUNT_MAX) ?? 1,
    weightRule: checkOneOf(where, "weightRule", options.weightRule ?? defaults.weightRule, Object.values(WeightRule)),
    pool: checkText(where, "pool", options.pool, POOL_NAME_MAX) ?? "default_pool",
    poolSlots: integer("poolSlots", options.poolSlots, 1, POOL_SLOTS_MAX) ?? 1,
    queue: text("queue", options.queue) ?? defaults.queue,
    executor: text("executor", options.executor),
    executorConfig: checkJson(where, "executorConfig", checkRecord(where, "executorConfig", options.executorConfig) ?? {}),
    dependsOnPast: (flag("dependsOnPast") ?? false) || waitForDownstream,
    waitForDownstream,
    ignoreFirstDependsOnPast: flag("ignoreFirstDependsOnPast") ?? true,
    waitForPastDependsBeforeSkipping: flag("waitForPastDependsBeforeSkipping") ?? false,
    maxActiveTisPerDag: integer("maxActiveTisPerDag", options.maxActiveTisPerDag, 1),
    maxActiveTisPerDagrun: integer("maxActiveTisPerDagrun", options.maxActiveTisPerDagrun, 1),
    maxActiveTisIncludeDeferred: flag("maxActiveTisIncludeDeferred") ?? false,
    isSetup: flag("isSetup") ?? false,
    isTeardown,
    onFailureFailDagrun: flag("onFailureFailDagrun") ?? false,
    startDate: instant("startDate", options.startDate),
    endDate: instant("endDate", options.endDate),
    email: checkEmail(where, options.email),
    emailOnFailure: flag("emailOnFailure"),
    emailOnRetry: flag("emailOnRetry"),
    doXcomPush: flag("doXcomPush") ?? true,
    multipleOutputs: flag("multipleOutputs") ?? false,
    mapIndexTemplate: text("mapIndexTemplate", options.mapIndexTemplate),
    callbacks: {
      onExecute: checkCallbacks(where, "onExecute", options.onExecute),
      onSuccess: checkCallbacks(where, "onSuccess", options.onSuccess),
      onFailure: checkCallbacks(where, "onFailure", options.onFailure),
      onRetry: checkCallbacks(where, "onRetry", options.onRetry),
      onSkipped: checkCallbacks(where, "onSkipped", options.onSkipped),
    },
  };
}

/** As in Airflow, authors cannot set a teardown's trigger rule. A rule in `defaultArgs` does not apply to teardowns. */
export function checkTeardownRule(where: string, own: Pick<CommonTaskOptions, "isTeardown" | "triggerRule">): void {
  if (!own.isTeardown || own.triggerRule === undefined || own.triggerRule === "all_done_setup_success") return;
  throw invalid(where, "triggerRule", own.triggerRule, "a teardown always has all_done_setup_success: leave it out");
}

/** One callback or notifier, or several, as a list. */
export function checkCallbacks<C extends TaskCallback | DagCallback>(
  where: string,
  name: string,
  given: CallbackInput<C> | undefined,
): readonly (C | BaseNotifier)[] {
  const list: readonly unknown[] = given === undefined ? [] : Array.isArray(given) ? given : [given];
  for (const one of list) {
    const isClass = typeof one === "function" && one.prototype instanceof BaseNotifier;
    if (isClass) throw invalid(where, name, one.name, "a class is no notifier: create one with new");
    if (typeof one !== "function" && !(one instanceof BaseNotifier))
      throw invalid(where, name, one, "it must be a function or a notifier, or an array of them");
  }
  return list as readonly (C | BaseNotifier)[];
}

function checkEmail(where: string, given: string | readonly string[] | undefined): string[] {
  if (given === undefined) return [];
  const isList = Array.isArray(given) && given.every((each) => typeof each === "string");
  if (typeof given !== "string" && !isList) throw invalid(where, "email", given, "it must be a text or an array of texts");
  const addresses = splitAddresses(given);
  const wrong = addresses.find((address) => !isEmailAddress(address));
  if (wrong !== undefined) throw invalid(where, "email", wrong, `each must be ${ADDRESS_RULE}`);
  return addresses;
}

/** `"false"` would count as true: a text is refused, whatever it says. */
export function checkFlag(where: string, name: string, value: boolean | undefined): boolean | null {
  if (value === undefined || typeof value === "boolean") return value ?? null;
  throw invalid(where, name, value, "it must be true or false");
}

export function checkRecord<T extends object>(where: string, name: string, value: T | undefined): T | null {
  if (value === undefined) return null;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalid(where, name, value, "it must be an object");
}

export function checkInteger(
  where: string,
  name: string,
  value: number | undefined,
  min: number,
  max = COUNT_MAX,
): number | null {
  if (value === undefined) return null;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(where, name, value, `it must be a whole number from ${min} to ${max}`);
}

/** What PostgreSQL cannot keep is refused here: stored within a DAG, it would fail the lists that show the DAG among others. */
export function checkText(where: string, name: string, value: string | undefined, max = TEXT_MAX): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string" || value === "") throw invalid(where, name, value, "it must be a text that is not empty");
  if (value.length > max) throw invalid(where, name, value, `it has ${value.length} characters and must have at most ${max}`);
  const fault = textFault(value);
  if (fault !== null) throw invalid(where, name, value, `it must not hold ${fault}`);
  return value;
}

function checkOneOf<T extends string>(where: string, name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw invalid(where, name, value, `it must be one of ${allowed.join(", ")}`);
}

function checkJson<T>(where: string, name: string, value: T): T {
  const fault = findJsonFault(value);
  if (fault === undefined) return value;
  throw new DagDefinitionError("TASK_INVALID_OPTION", `${where}: ${name}${fault.path} is ${fault.fault}`, { option: name });
}

function resolveBackoff(where: string, value: boolean | number | undefined): number {
  if (value === undefined || value === false || value === 0) return 0;
  if (value === true) return 2;
  if (typeof value === "number" && Number.isFinite(value) && value >= 1) return value;
  throw invalid(where, "retryExponentialBackoff", value, "it must be true (the delay doubles) or a factor of at least 1");
}

function invalid(where: string, option: string, value: unknown, rule: string): DagDefinitionError {
  return new DagDefinitionError("TASK_INVALID_OPTION", `${where}: ${option} is ${showValue(value)}, but ${rule}`, {
    option,
    value,
  });
}
