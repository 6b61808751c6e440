import { secondsSince } from "../platform/index.ts";
import {
  type Candidate,
  type Db,
  lockQueued,
  type Only,
  type QueuedInstance,
  queueInstances,
  selectCandidates,
  tryDispatchLock,
} from "../store/index.ts";
import { addDeferred } from "./add-deferred.ts";
import { isPoisoned } from "./commands/dag-cache.ts";
import { placeOf } from "./commands/index.ts";
import { setFaultsAside } from "./culprits.ts";
import { handOver } from "./hand-over.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** The result of one dispatch. */
export type Dispatched = {
  /** Pending until the transaction commits; its answer arrives with the commit's. */
  readonly queued: Promise<readonly QueuedInstance[]>;
  /** Another scheduler is dispatching. */
  readonly busy: boolean;
  /** Another dispatch may find more. */
  readonly more: boolean;
  /** When it took the dispatch lock, by `performance.now()`; null = it did not need the lock, or did not get it. */
  readonly lockedAt: number | null;
};

const nothing = (): Dispatched => ({ queued: Promise.resolve([]), busy: false, more: false, lockedAt: null });

/**
 * Moves scheduled task instances to queued, within every limit, in the caller's transaction. Counting and queueing are one
 * transaction under one lock, so no limit is exceeded at any instant. Tries whose commit or hand-over did not return stay in limbo
 * and are looked up first. `slots`: each executor's free slots. After the commit `settleDispatch` hands the queued tries to their
 * executors.
 */
export async function dispatch(
  tx: Db,
  resources: SchedulerResources,
  options: SchedulerOptions,
  slots: ReadonlyMap<string, number>,
  only: Only,
): Promise<Dispatched> {
  const { limbo, metrics } = resources;
  const open = [...slots].filter(([, free]) => free > 0);
  const room = Math.min(
    options.maxInstancesPerQuery,
    [...slots.values()].reduce((sum, free) => sum + Math.max(0, free), 0),
    options.parallelism,
  );
  if (limbo.size === 0 && (open.length === 0 || room <= 0)) return nothing();

  const lockedAt = performance.now();
  const heldBack: string[] = [];
  const look = async () => {
    const asked = performance.now();
    const found = await selectCandidates(tx, { executors: open, limit: room, heldBack, jobId: options.jobId(), only });
    metrics.time("scheduler.critical_section_query_duration", {}, secondsSince(asked));
    return found;
  };
  // The first query is pipelined behind the lock: mostly the lock is free and nothing is in limbo.
  const [isLocked, seen] = await Promise.all([tryDispatchLock(tx), limbo.size === 0 ? look() : null]);
  if (!isLocked) return { ...nothing(), busy: true };
  if (limbo.size > 0) {
    const left = await lockQueued(tx, [...limbo]);
    if (left.length > 0) return { queued: Promise.resolve(left), busy: false, more: true, lockedAt };
    limbo.clear();
  }
  // Candidates that a per-task limit holds back would use up the candidate limit for ever: they are excluded by id, then the query runs again.
  for (let found = seen ?? (await look()); ; found = await look()) {
    await resources.pause("after-candidates");
    const candidates = await addDeferred(tx, resources, found);
    const free = options.parallelism - (candidates[0]?.activeOfJob ?? 0);
    const { chosen, heldByTask } = choose(candidates, new Map(slots), Math.min(room, free));
    if (await setUnreadableAside(tx, resources, options, chosen)) continue;
    const served = new Set(chosen.map(({ executor }) => executor));
    // A task that is first in line for its pool reserves slots only if nothing else holds it back.
    const inTheWay = heldByTask.filter((one) => !served.has(one.executor) || one.poolSlots > one.poolFree);
    heldBack.push(...inTheWay.map(({ id }) => id));
    if (inTheWay.length > 0) continue;
    if (chosen.length === 0) return { ...nothing(), lockedAt };
    const offered = candidates.filter(({ poolSlots, poolFree }) => poolSlots <= poolFree).length;
    const ids = chosen.map(({ id }) => id);
    for (const id of ids) limbo.add(id);
    const queued = queueInstances(tx, ids, options.jobId());
    // If the commit fails, nothing awaits this one.
    queued.catch(() => {});
    // If the candidate limit was reached, or candidates were held back, further tasks may still have room.
    return { queued, busy: false, more: offered >= room || chosen.length < offered, lockedAt };
  }
}

/** To be called once the transaction has committed. `more`: dispatch again at once. */
export async function settleDispatch(
  resources: SchedulerResources,
  options: SchedulerOptions,
  { queued: queueing, busy, more, lockedAt }: Dispatched,
): Promise<{ queued: number; more: boolean }> {
  const { executors, limbo, metrics, logger } = resources;
  const queued = await queueing;
  if (busy) metrics.count("scheduler.critical_section_busy", {});
  else if (lockedAt !== null) metrics.time("scheduler.critical_section_duration", {}, secondsSince(lockedAt));
  metrics.gauge("scheduler.tasks.executable", [{ labels: {}, value: queued.length }]);
  for (const one of queued) {
    logger.info({ ...placeOf(one), executor: one.executor }, "task queued");
    metrics.time("task.scheduled_duration", { dag_id: one.dagId, task_id: one.taskId }, one.scheduledSec);
  }
  await resources.pause("after-queue-commit");
  await handOver(resources, options, queued);
  if (queued.length > 0) await resources.pause("after-hand-over");
  if (!busy) limbo.clear();
  // Without a free slot the next dispatch waits until an executor frees one, which wakes the loop.
  const hasRoom = [...executors.values()].some((executor) => executor.slotsAvailable() > 0);
  return { queued: queued.length, more: more && hasRoom };
}

/**
 * Assigns the free slots to the candidates in order. A candidate that needs more slots than its pool has left waits for them: no
 * later one takes a slot of that pool, or its place in its run or task limit, so it starts when the current holders have ended.
 * Pure.
 */
export function choose(
  candidates: readonly Candidate[],
  slots: Map<string, number>,
  room: number,
): { chosen: Candidate[]; heldByTask: Candidate[] } {
  const pools = new Map<string, number>();
  const runs = new Map<number, number>();
  const tasks = new Map<string, number>();
  const chosen: Candidate[] = [];
  const heldByTask: Candidate[] = [];
  for (const one of candidates) {
    if (chosen.length >= room) break;
    const poolFree = pools.get(one.pool) ?? one.poolFree;
    const runFree = runs.get(one.dagRunId) ?? one.runFree;
    const slotsFree = slots.get(one.executor) ?? 0;
    const ofTask = `${one.dagId}\n${one.taskId}`;
    const ofTaskInRun = `${one.dagRunId}\n${one.taskId}`;
    const active = tasks.get(ofTask) ?? one.activeOfTask;
    const activeInRun = tasks.get(ofTaskInRun) ?? one.activeOfTaskInRun;
    if (
      (one.maxActiveTisPerDag !== null && active >= one.maxActiveTisPerDag) ||
      (one.maxActiveTisPerDagrun !== null && activeInRun >= one.maxActiveTisPerDagrun)
    ) {
      heldByTask.push(one);
      continue;
    }
    if (runFree <= 0 || slotsFree <= 0) continue;
    const isFirstInLine = one.poolSlots > poolFree;
    // What is left of a pool is reserved for the first in line.
    if (isFirstInLine && poolFree <= 0) continue;
    pools.set(one.pool, isFirstInLine ? 0 : poolFree - one.poolSlots);
    runs.set(one.dagRunId, runFree - 1);
    tasks.set(ofTask, active + 1);
    tasks.set(ofTaskInRun, activeInRun + 1);
    if (isFirstInLine) continue;
    slots.set(one.executor, slotsFree - 1);
    chosen.push(one);
  }
  return { chosen, heldByTask };
}

/**
 * Done before anything is queued, since a queued try that cannot be handed over would block all queued with it. A DAG version that
 * cannot be read blocks its own runs only.
 */
async function setUnreadableAside(
  tx: Db,
  resources: SchedulerResources,
  options: SchedulerOptions,
  chosen: readonly Candidate[],
): Promise<boolean> {
  const runs = new Map<number, Error>();
  for (const { dagRunId, versionId } of new Map(chosen.map((each) => [each.dagRunId, each])).values()) {
    try {
      await resources.dags.get(tx, versionId);
    } catch (error) {
      if (!isPoisoned(error)) throw error;
      runs.set(dagRunId, error);
    }
  }
  const faults = [...runs].map(([id, error]) => ({ kind: "run" as const, subject: String(id), error }));
  await setFaultsAside(resources, options, faults, tx);
  return faults.length > 0;
}
