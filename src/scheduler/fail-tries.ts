import type { Outcome } from "../contracts/index.ts";
import { toError } from "../platform/index.ts";
import { type FinishedTry, type FinishGuard, logEvent, type TryFacts } from "../store/index.ts";
import { finishFailed } from "./commands/finish-by-outcome.ts";
import { logPathOf, tellFinished } from "./commands/index.ts";
import { isOnesFault, setFaultsAside } from "./culprits.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Why the platform fails a try: the error's name, the event in the event log, and the message in this process's log. */
type Fault = { error: string; event: string; message: string; isFinal?: true };
const LOST: Fault = { error: "WorkerLostError", event: "worker lost", message: "a try lost its worker" };
export const STUCK: Fault = {
  error: "StuckInQueuedError",
  event: "stuck in queued",
  message: "a try that nobody started is given up",
};
export const REFUSED: Fault = { error: "LaunchFailedError", event: "launch failed", message: "an executor cannot launch a try" };
/** A retry would be just as large. */
export const TOO_LARGE: Fault = {
  error: "WorkloadTooLargeError",
  event: "launch failed",
  message: "a workload is too large for any executor",
  isFinal: true,
};

/**
 * Fails tries whose worker cannot report any more, each with its reason in its log and in the event log. Returns those that it failed.
 * A try whose end cannot be stored is set aside and does not hold up the others; the next check that finds it tries again.
 */
export async function failTries(
  resources: SchedulerResources,
  options: SchedulerOptions,
  tries: readonly TryFacts[],
  guard: FinishGuard,
  reasonOf: (one: TryFacts) => string,
  fault = LOST,
): Promise<TryFacts[]> {
  const killed = guard.silentForSec === null ? "scheduler.tasks.killed_externally" : "task_instances_without_heartbeats_killed";
  const counter = fault === LOST ? killed : null;
  const failed: TryFacts[] = [];
  for (const one of tries) {
    const reason = reasonOf(one);
    const finished = await failTry(resources, one, guard, fault, reason).catch(async (error: unknown) => {
      if (!isOnesFault(error)) throw error;
      await setFaultsAside(resources, options, [{ kind: "try", subject: one.id, error: toError(error) }]);
      return [];
    });
    if (finished.length === 0) continue;
    failed.push(one);
    tellFinished(resources, finished);
    if (counter) resources.metrics.count(counter, { dag_id: one.dagId, task_id: one.taskId });
    resources.logger.warn(
      { dagId: one.dagId, runId: one.runId, taskId: one.taskId, tryNumber: one.tryNumber, reason },
      fault.message,
    );
    await resources.noteInTryLog(logPathOf(one), `the scheduler ended this try: ${reason}`);
  }
  return failed;
}

/** The try's end and what is owed for it are one transaction: a crash in between loses no callback. */
async function failTry(
  { store, dags }: SchedulerResources,
  one: TryFacts,
  guard: FinishGuard,
  fault: Fault,
  reason: string,
): Promise<FinishedTry[]> {
  const outcome = failure(fault, reason);
  return store.transaction(async (tx) => {
    const finished = await finishFailed(tx, dags, one.id, outcome, guard);
    // No row: the worker reported in the meantime, or another scheduler was faster. Then nothing is owed either.
    if (finished.length === 0) return finished;
    const where = { dagId: one.dagId, runId: one.runId, taskId: one.taskId, mapIndex: one.mapIndex, tryNumber: one.tryNumber };
    await logEvent(tx, { event: fault.event, owner: "scheduler", ...where, extra: { reason } });
    return finished;
  });
}

/** A failure that no runner saw: its callbacks did not run either. */
function failure(fault: Fault, message: string): Extract<Outcome, { state: "failed" }> {
  const error = { name: fault.error, message, stack: null };
  return { state: "failed", retryable: fault.isFinal !== true, owesCallback: true, error, xcoms: [] };
}
