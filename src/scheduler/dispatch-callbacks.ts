import { type Db, type Only, type QueuedCallback, queueCallbacks } from "../store/index.ts";
import { callbackLogPathOf } from "./commands/index.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Callbacks that the platform owes run on the default executor. */
const executorOf = ({ executors }: SchedulerResources) => [...executors.values()][0];

/**
 * Queues the callbacks that the platform owes, before tasks, in the caller's transaction, as far as their executor has slots. Need
 * not be awaited before the next statement. After the commit `handOverCallbacks` hands them over.
 */
export function queueOwedCallbacks(
  tx: Db,
  resources: SchedulerResources,
  options: SchedulerOptions,
  only: Only,
): Promise<readonly QueuedCallback[]> {
  const room = Math.min(executorOf(resources)?.slotsAvailable() ?? 0, options.maxCallbacks);
  const queued = room <= 0 ? Promise.resolve([]) : queueCallbacks(tx, room, options.jobId(), only);
  // If another statement of the transaction fails first, nothing awaits this one.
  queued.catch(() => {});
  return queued;
}

export async function handOverCallbacks(
  resources: SchedulerResources,
  { startTokenTtlSec }: SchedulerOptions,
  queued: readonly QueuedCallback[],
): Promise<void> {
  const needsWorker = executorOf(resources)?.isStartedByWorkers === true;
  const workloads = [];
  for (const one of queued) {
    workloads.push({
      type: "ExecuteCallback" as const,
      token: await resources.tokens.sign("baram:workload", { subject: one.id, needsWorker }, startTokenTtlSec),
      callbackId: one.id,
      moduleHash: one.moduleHash,
      logPath: callbackLogPathOf(one),
    });
  }
  if (workloads.length > 0) executorOf(resources)?.queue(workloads);
}

/** An executor's free slots for tasks, after callbacks have taken theirs. */
export function placesForTasks(resources: SchedulerResources, callbacks: number): Map<string, number> {
  const first = executorOf(resources);
  return new Map(
    [...resources.executors.values()].map((executor) => [
      executor.name,
      executor.slotsAvailable() - (executor === first ? callbacks : 0),
    ]),
  );
}
