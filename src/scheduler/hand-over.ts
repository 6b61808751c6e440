import { type ExecuteTask, WORKLOAD_MAX_BYTES } from "../contracts/index.ts";
import { toError } from "../platform/index.ts";
import { type QueuedInstance, requeueTries, triesByIds } from "../store/index.ts";
import { logPathOf } from "./commands/index.ts";
import { isOnesFault, setFaultsAside } from "./culprits.ts";
import { failTries, TOO_LARGE } from "./fail-tries.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/**
 * Hands queued tries to their executors, highest priority first. A try for which no workload can be built now is requeued; one
 * whose workload is too large for any executor fails, with that reason.
 */
export async function handOver(
  resources: SchedulerResources,
  options: SchedulerOptions,
  queued: readonly QueuedInstance[],
): Promise<void> {
  if (queued.length === 0) return;
  // RETURNING keeps no order; executors get the highest priority first.
  const ordered = [...queued].sort((a, b) => b.priorityWeight - a.priorityWeight);
  const { workloads, unreadable, oversized } = await workloadsOf(resources, options, ordered);
  if (unreadable.size > 0) await giveBack(resources, options, unreadable);
  if (oversized.size > 0) {
    const facts = await triesByIds(resources.store, [...oversized.keys()]);
    const reasonOf = ({ id }: { id: string }) => oversized.get(id) ?? TOO_LARGE.message;
    await failTries(resources, options, facts, { leaving: ["queued"], silentForSec: null }, reasonOf, TOO_LARGE);
  }
  const byExecutor = new Map<string, ExecuteTask[]>();
  for (const { executor, workload } of workloads) byExecutor.set(executor, [...(byExecutor.get(executor) ?? []), workload]);
  for (const [name, ofExecutor] of byExecutor) resources.executors.get(name)?.queue(ofExecutor);
}

/** Their runs are set aside first, so that no dispatch selects them again in between. `errors` by the try's id. */
async function giveBack(
  resources: SchedulerResources,
  options: SchedulerOptions,
  errors: ReadonlyMap<string, Error>,
): Promise<void> {
  const runs = new Map<number, Error>();
  for (const { id, dagRunId } of await triesByIds(resources.store, [...errors.keys()])) {
    const error = errors.get(id);
    if (error) runs.set(dagRunId, error);
  }
  const faults = [...runs].map(([id, error]) => ({ kind: "run" as const, subject: String(id), error }));
  await setFaultsAside(resources, options, faults);
  await requeueTries(resources.store, [...errors.keys()]);
}

/** Each with a token of its own. `unreadable` and `oversized`: why, by the try's id. */
export async function workloadsOf(
  resources: SchedulerResources,
  options: SchedulerOptions,
  queued: readonly QueuedInstance[],
): Promise<{
  workloads: { executor: string; workload: ExecuteTask }[];
  unreadable: Map<string, Error>;
  oversized: Map<string, string>;
}> {
  const workloads: { executor: string; workload: ExecuteTask }[] = [];
  const unreadable = new Map<string, Error>();
  const oversized = new Map<string, string>();
  for (const row of queued) {
    try {
      const workload = await workloadOf(resources, options, row);
      const reason = whyTooLarge(workload);
      if (reason === null) workloads.push({ executor: row.executor, workload });
      else oversized.set(row.id, reason);
    } catch (error) {
      if (!isOnesFault(error)) throw error;
      unreadable.set(row.id, toError(error));
    }
  }
  return { workloads, unreadable, oversized };
}

/** A DAG file with such a task is an import error; this handles versions that were stored in another way. */
function whyTooLarge(workload: ExecuteTask): string | null {
  const sizeBytes = Buffer.byteLength(JSON.stringify(workload));
  if (sizeBytes <= WORKLOAD_MAX_BYTES) return null;
  const configBytes = Buffer.byteLength(JSON.stringify(workload.ti.executorConfig));
  return `its workload is ${sizeBytes} bytes, more than the ${WORKLOAD_MAX_BYTES} that every executor can carry; its executorConfig takes ${configBytes} of them: make that smaller`;
}

async function workloadOf(
  { store, dags, tokens, executors }: SchedulerResources,
  { startTokenTtlSec }: SchedulerOptions,
  row: QueuedInstance,
): Promise<ExecuteTask> {
  const { graph } = await dags.get(store, row.versionId);
  return {
    type: "ExecuteTask",
    token: await tokens.sign(
      "baram:workload",
      { subject: row.id, needsWorker: executors.get(row.executor)?.isStartedByWorkers === true },
      startTokenTtlSec,
    ),
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
