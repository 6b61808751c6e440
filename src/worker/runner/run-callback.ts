import type { CallbackRequest } from "../../contracts/index.ts";
import type { Masker } from "../../platform/index.ts";
import type { DagDefinition } from "../../sdk/index.ts";
import type { RunnerContext } from "../wire/index.ts";
import { createPlatformPart } from "./create-context.ts";
import { createTaskContext } from "./create-task-context.ts";
import { runCallbacks } from "./run-callbacks.ts";
import type { LogSink, RunnerCaller } from "./runner-caller.ts";

export type RunCallbackInput = {
  dag: DagDefinition;
  request: CallbackRequest;
  caller: RunnerCaller;
  /** Knows the secrets that `caller` has read. */
  masker: Masker;
  log: LogSink;
  signal: AbortSignal;
  now: () => number;
};

/**
 * Runs a callback that the platform owes: a DAG's after its run ended, or a task's after a try that its own runner could
 * not report. Failures are logged and counted, never thrown; a task that the DAG no longer has runs none.
 */
export async function runCallback(input: RunCallbackInput): Promise<{ ran: number; failed: number }> {
  const { dag, request, caller, masker, log, signal } = input;
  const resources = { caller, masker, log };
  if (request.kind === "dag") {
    const ctx = { ...createPlatformPart({ dag, dagRun: request.dagRun, caller, log, signal }), reason: request.reason };
    return runCallbacks(`DAG ${request.callback}`, dag.facts.callbacks[request.callback], ctx, resources);
  }
  const node = dag.facts.nodes.get(request.ti.taskId);
  if (node === undefined) {
    log({ level: "warn", message: `DAG ${dag.dagId} has no task ${request.ti.taskId} any more: no callback runs` });
    return { ran: 0, failed: 0 };
  }
  const { ctx } = createTaskContext({ ...input, node, ti: request.ti, context: contextOf(request, input.now) });
  const error = request.callback === "onFailure" || request.callback === "onRetry" ? new Error(request.reason) : undefined;
  const callbackCtx = { ...ctx, error, reason: request.reason };
  return runCallbacks(request.callback, node.settings.callbacks[request.callback], callbackCtx, resources);
}

// A callback has no running try: it can read XComs, and the execution API refuses its writes.
function contextOf(request: Extract<CallbackRequest, { kind: "task" }>, now: () => number): RunnerContext {
  return {
    dagRun: request.dagRun,
    maxTries: request.ti.maxTries,
    shouldRetry: request.callback === "onRetry",
    taskRescheduleCount: 0,
    startDate: request.ti.startDate ?? new Date(now()).toISOString(),
    executionTimeoutSec: null,
    inputs: [],
    map: null,
    maxMapLength: Number.MAX_SAFE_INTEGER,
    xcomMaxBytes: Number.MAX_SAFE_INTEGER,
  };
}
