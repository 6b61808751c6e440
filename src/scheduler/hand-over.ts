import { type ExecuteTask, WORKLOAD_MAX_BYTES } from "../contracts/index.ts";
import type { BaramError } from "../platform/index.ts";
import { type QueuedInstance, requeueTries, triesByIds } from "../store/index.ts";
import { isPoisoned } from "./commands/dag-cache.ts";
import { logPathOf } from "./commands/index.ts";
import { loseTries, TOO_LARGE } from "./lose-tries.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** A DAG that cannot be read keeps its own tasks waiting and nobody else's; it is tried again after a while. */
export function putAside(
  { aside, clock, logger }: SchedulerResources,
  options: SchedulerOptions,
  one: { dagId: string; versionId: string },
  error: BaramError,
): void {
  aside.set(one.versionId, clock.now() + options.fullScanSec * 1_000);
  logger.error(
    { dagId: one.dagId, versionId: one.versionId, error: error.message },
    "a DAG version cannot be read; its tasks are left aside and tried again",
  );
}

/**
 * Gives queued tries to their executors, the most important first. What cannot be made a workload of now goes back to be scheduled; one
 * that no executor could carry fails, with that reason.
 */
export async function handOver(
  resources: SchedulerResources,
  options: SchedulerOptions,
  queued: readonly QueuedInstance[],
): Promise<void> {
  if (queued.length === 0) return;
  // RETURNING keeps no order; executors take the most important first.
  const ordered = [...queued].sort((a, b) => b.priorityWeight - a.priorityWeight);
  const { workloads, unreadable, oversized } = await workloadsOf(resources, ordered);
  for (const { row, error } of unreadable) putAside(resources, options, row, error);
  if (unreadable.length > 0)
    await requeueTries(
      resources.store,
      unreadable.map(({ row }) => row.id),
    );
  if (oversized.size > 0) {
    const facts = await triesByIds(resources.store, [...oversized.keys()]);
    const reasonOf = ({ id }: { id: string }) => oversized.get(id) ?? TOO_LARGE.message;
    await loseTries(resources, facts, { leaving: ["queued"], silentForSec: null }, reasonOf, TOO_LARGE);
  }
  const byExecutor = new Map<string, ExecuteTask[]>();
  for (const { executor, workload } of workloads) byExecutor.set(executor, [...(byExecutor.get(executor) ?? []), workload]);
  for (const [name, ofExecutor] of byExecutor) resources.executors.get(name)?.queue(ofExecutor);
}

/** Each with a token of its own. `oversized`: why, by the try's id. */
export async function workloadsOf(
  resources: SchedulerResources,
  queued: readonly QueuedInstance[],
): Promise<{
  workloads: { executor: string; workload: ExecuteTask }[];
  unreadable: { row: QueuedInstance; error: BaramError }[];
  oversized: Map<string, string>;
}> {
  const workloads: { executor: string; workload: ExecuteTask }[] = [];
  const unreadable: { row: QueuedInstance; error: BaramError }[] = [];
  const oversized = new Map<string, string>();
  for (const row of queued) {
    try {
      const workload = await workloadOf(resources, row);
      const reason = whyTooLarge(workload);
      if (reason === null) workloads.push({ executor: row.executor, workload });
      else oversized.set(row.id, reason);
    } catch (error) {
      if (!isPoisoned(error)) throw error;
      unreadable.push({ row, error });
    }
  }
  return { workloads, unreadable, oversized };
}

/** A DAG file with such a task is an import error; this is for versions that were stored otherwise. */
function whyTooLarge(workload: ExecuteTask): string | null {
  const sizeBytes = Buffer.byteLength(JSON.stringify(workload));
  if (sizeBytes <= WORKLOAD_MAX_BYTES) return null;
  const configBytes = Buffer.byteLength(JSON.stringify(workload.ti.executorConfig));
  return `its workload is ${sizeBytes} bytes, more than the ${WORKLOAD_MAX_BYTES} that every executor can carry; its executorConfig takes ${configBytes} of them: make that smaller`;
}

async function workloadOf({ store, dags, tokens }: SchedulerResources, row: QueuedInstance): Promise<ExecuteTask> {
  const { graph } = await dags.get(store, row.versionId);
  return {
    type: "ExecuteTask",
    token: await tokens.sign("baram:workload", { subject: row.id }, null),
    ti: {
      id: row.id,
      dagId: row.dagId,
      runId: row.runId,
      taskId: row.taskId,
      mapIndex: row.mapIndex,
      tryNumber: row.tryNumber,
      poolSlots: row.poolSlots,
      queue: row.queue,
      priorityWeight: row.priorityWeight,
      executorConfig: graph.tasks[graph.indexOf.get(row.taskId) ?? -1]?.executorConfig ?? {},
    },
    moduleHash: row.moduleHash,
    logPath: logPathOf(row),
  };
}
