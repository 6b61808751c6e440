import { cutText, type Outcome, SHOWN_TEXT_MAX } from "../../contracts/index.ts";
import { type Masker, startTimer, type Timer, toError } from "../../platform/index.ts";
import { type DagDefinition, FailError, SkipError, type TaskContext } from "../../sdk/index.ts";
import { BaseSensor, mappingFactsOf, type TaskCallbackName, TaskDeferred, type TaskNode } from "../../sdk/runtime.ts";
import type { RunnerContext } from "../wire/index.ts";
import { boundExecution } from "./bound-execution.ts";
import { createTaskContext, outcomeLength, outcomeXComs, type SkipDecision, type TryFacts } from "./create-task-context.ts";
import { deferredOutcome, resumeTask } from "./deferral.ts";
import { renderMapIndex } from "./render-map-index.ts";
import { renderOptions } from "./render-options.ts";
import { toRenderedFields } from "./rendered-fields.ts";
import { bindOptions, createElementReader } from "./resolve-mapping.ts";
import { runCallbacks } from "./run-callbacks.ts";
import { runSensor, type SensorTurn } from "./run-sensor.ts";
import type { LogSink, RunnerCaller } from "./runner-caller.ts";
import { describeError, messageOf, SensorTimeoutError, TaskTimeoutError, XComValueError } from "./task-failure.ts";

export type RunTaskInput = {
  dag: DagDefinition;
  taskId: string;
  ti: TryFacts;
  /** The answer to `run`. */
  context: RunnerContext;
  caller: RunnerCaller;
  /** Knows the secrets that `caller` has read. */
  masker: Masker;
  log: LogSink;
  /** Aborts when the supervisor stops the task, which then has the grace period to clean up. */
  signal: AbortSignal;
  now: () => number;
  /**
   * Called when the task must stop, by `signal` or because its time is up: the grace period begins. `outcome`: the try's outcome if
   * it does not end in time. A caller that sets this must end the process after the grace period; otherwise `runTask` returns after
   * `graceMs`, whatever still runs.
   */
  onStopping?: (stopping: { outcome: Outcome; limitSec: number | null }) => void;
  /** Rejects with an uncaught error, which ends and fails the try at once. */
  uncaught?: Promise<never>;
  /** Default 5,000; not used if `onStopping` is set. */
  graceMs?: number;
  /** A task that runs for longer than this many ms stores its rendered fields while it runs. Default 2,000. */
  showFieldsAfterMs?: number;
};

export type TaskResult = {
  outcome: Outcome;
  /** Call once, after the supervisor has the outcome. Runs onSuccess, onRetry, onFailure or onSkipped. Never rejects. */
  runCallbacks(): Promise<void>;
};

type Ending = { outcome: Outcome; error?: Error };

/**
 * Runs one try of a task, from its arguments to its outcome. Never rejects: every error becomes an outcome.
 *
 * - resolves XComs and templates, runs `onExecute`, then the operator with its timeout, or the sensor's pokes;
 * - SkipError → skipped; FailError, a sensor's timeout and a result that is no XCom → failed without retry; any other error →
 *   failed, to be retried if retries are left; a sensor that waits → up_for_reschedule; `defer()` → deferred.
 */
export async function runTask(input: RunTaskInput): Promise<TaskResult> {
  const node = input.dag.facts.nodes.get(input.taskId);
  if (node === undefined) {
    const error = new Error(`DAG ${input.dag.dagId} has no task "${input.taskId}" in this version of its file`);
    return { outcome: failed(error, {}), runCallbacks: async () => {} };
  }
  const elements = readerOf(input);
  let renderedFields: Outcome["renderedFields"];
  let rendered: Record<string, unknown> = {};
  const shown = () => (renderedFields === undefined ? {} : { renderedFields });
  let ctx: TaskContext | undefined;
  let showTimer: Timer | undefined;
  const work = async (signal: AbortSignal): Promise<Ending> => {
    const created = createTaskContext({ ...input, node, signal });
    ctx = created.ctx;
    const given = elements === null ? node.options : await bindOptions(input.dag, node, elements);
    const source = { ctx: created.ctx, groupElements: elements ?? (async () => []) };
    const options = await renderOptions(node, given, source, input.caller);
    rendered = options;
    renderedFields = toRenderedFields(node.templateFields, options, input.masker, input.context.templatedFieldMaxLength);
    showTimer = startTimer(input.showFieldsAfterMs ?? 2_000, () => showFields(input, shown().renderedFields ?? {}));
    await callBack("onExecute", node, created.ctx, undefined, "the task starts", input);
    const work = node.mapping === null ? node.withOptions(options) : node.forElement(options);
    try {
      const turn = await execute(work, created.ctx, input);
      return { outcome: turnOutcome(turn, node, created.decision, input) };
    } catch (thrown) {
      if (thrown instanceof TaskDeferred) return { outcome: deferredOutcome(node, thrown) };
      throw thrown;
    }
  };
  const endingBy = (thrown: unknown): Ending => {
    const error = toError(thrown);
    const soft = node.settings && isSoftTimeout(node, error);
    if (error instanceof SkipError || soft)
      return { outcome: { state: "skipped", reason: cutText(messageOf(error), SHOWN_TEXT_MAX), xcoms: [] }, error };
    return { outcome: failed(error, {}), error };
  };
  const { onStopping } = input;
  const ending = await boundExecution(work, {
    outer: input.signal,
    timeoutSec: timeoutOf(input),
    graceMs: onStopping ? null : (input.graceMs ?? 5_000),
    ...(input.uncaught ? { uncaught: input.uncaught } : {}),
    onStop(reason) {
      const limitSec = reason instanceof TaskTimeoutError ? input.context.executionTimeoutSec : null;
      onStopping?.({ outcome: { ...endingBy(reason).outcome, ...shown() }, limitSec });
    },
  }).catch(endingBy);
  showTimer?.cancel();
  let outcome: Outcome = { ...ending.outcome, ...shown() };
  if (elements !== null && ctx !== undefined) outcome = await renderMapIndex(outcome, node, ctx, rendered, input);
  if (input.signal.aborted && ending.error === input.signal.reason)
    // The task ended because it was asked to: no fault of its own, and the place is Baram's.
    input.log({ level: "info", message: `the task stopped: ${toError(ending.error).message}` });
  else logEnding(outcome, input.log);
  return {
    outcome,
    async runCallbacks() {
      const name = callbackOf(outcome, input.context.shouldRetry);
      if (name === null) return;
      let callbackCtx = ctx;
      try {
        callbackCtx ??= createTaskContext({ ...input, node }).ctx;
      } catch (error) {
        // What failed the try before its first line. A rejection here would leave the supervisor waiting for the end of the callbacks.
        input.log({
          level: "error",
          message: `${name} is not called: the task's context cannot be made: ${toError(error).message}`,
        });
        return;
      }
      await callBack(name, node, callbackCtx, ending.error, reasonOf(outcome), input);
    },
  };
}

/** The execution time counts from the try's first start, over its deferrals; a try that resumes only to fail has no limit. */
function timeoutOf({ context, now }: Pick<RunTaskInput, "context" | "now">): number | null {
  const { executionTimeoutSec, resume } = context;
  if (executionTimeoutSec === null || !resume) return executionTimeoutSec;
  if (resume.failure !== null) return null;
  return Math.max(0.001, executionTimeoutSec - usedSec({ context, now }));
}

function usedSec({ context, now }: Pick<RunTaskInput, "context" | "now">): number {
  return (now() - Date.parse(context.startDate)) / 1000;
}

/** Reads the elements of a mapped instance; null for a task that has only one. */
function readerOf({ dag, taskId, ti, context }: RunTaskInput) {
  const mapped = ti.mapIndex < 0 ? null : mappingFactsOf(dag).mappingOf(taskId);
  return mapped === null ? null : createElementReader(mapped.mapping, ti.mapIndex, context.map);
}

async function execute(node: TaskNode, ctx: TaskContext, input: RunTaskInput): Promise<SensorTurn> {
  const { resume = null, executionTimeoutSec } = input.context;
  const time = { limitSec: executionTimeoutSec, usedSec: usedSec(input) };
  if (!(node instanceof BaseSensor)) {
    return { done: true, value: await (resume === null ? node.execute(ctx) : resumeTask(node, ctx, resume, time)) };
  }
  return runSensor(node, ctx, {
    startMs: Date.parse(input.context.startDate),
    rescheduleCount: input.context.taskRescheduleCount,
    executionTimeoutSec,
    resume,
    now: input.now,
  });
}

function turnOutcome(turn: SensorTurn, node: TaskNode, decision: SkipDecision, input: RunTaskInput): Outcome {
  if (!turn.done) return { state: "up_for_reschedule", rescheduleDate: new Date(turn.rescheduleAtMs).toISOString() };
  const xcoms = outcomeXComs(node, turn.value, decision, input.context.xcomMaxBytes);
  const mapLength = outcomeLength(input.dag, node, xcoms, input.context);
  return { state: "success", xcoms, skipTasks: decision.skipTasks, ...(mapLength === undefined ? {} : { mapLength }) };
}

// If a poke hangs, the execution timeout is detected outside of the sensor's own loop.
function isSoftTimeout(node: TaskNode, error: Error): boolean {
  return node instanceof BaseSensor && node.timing.softFail && error.name === "TaskTimeoutError";
}

function failed(error: Error, rest: { renderedFields?: Outcome["renderedFields"] }): Outcome {
  const final = error instanceof FailError || error instanceof SensorTimeoutError || error instanceof XComValueError;
  return { state: "failed", error: describeError(error), retryable: !final, xcoms: [], ...rest };
}

function callbackOf(outcome: Outcome, shouldRetry: boolean): TaskCallbackName | null {
  switch (outcome.state) {
    case "success":
      return "onSuccess";
    case "skipped":
      return "onSkipped";
    case "failed":
      return shouldRetry && outcome.retryable ? "onRetry" : "onFailure";
    case "up_for_reschedule":
    case "deferred":
      return null;
  }
}

function reasonOf(outcome: Outcome): string {
  switch (outcome.state) {
    case "success":
      return "the task succeeded";
    case "skipped":
      return outcome.reason;
    case "failed":
      return `${outcome.error.name}: ${outcome.error.message}`;
    case "up_for_reschedule":
      return "the sensor waits";
    case "deferred":
      return "the task waits for its trigger";
  }
}

async function callBack(
  name: TaskCallbackName,
  node: TaskNode,
  ctx: TaskContext,
  error: Error | undefined,
  reason: string,
  { caller, masker, log }: RunTaskInput,
): Promise<void> {
  const callbacks = node.settings.callbacks[name];
  if (callbacks.length > 0) await runCallbacks(name, callbacks, { ...ctx, error, reason }, { caller, masker, log });
}

function showFields(input: RunTaskInput, fields: NonNullable<Outcome["renderedFields"]>): void {
  if (Object.keys(fields).length === 0) return;
  input.caller.call("putRenderedFields", { fields }).catch((thrown: unknown) => {
    input.log({ level: "debug", message: `rendered fields could not be shown yet: ${toError(thrown).message}` });
  });
}

function logEnding(outcome: Outcome, log: LogSink): void {
  if (outcome.state === "failed") {
    const message = `the task failed: ${outcome.error.name}: ${outcome.error.message}`;
    log({ level: "error", message, facts: { error: outcome.error, retryable: outcome.retryable } });
  }
  if (outcome.state === "deferred") log({ level: "info", message: `the task is deferred to ${outcome.classpath}` });
  if (outcome.state === "skipped") log({ level: "info", message: `the task is skipped: ${outcome.reason}` });
}
