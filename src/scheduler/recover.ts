/**
 * How a scheduler recovers from dead processes. Every scheduler checks every task, whichever scheduler queued it:
 * - a job that is silent too long is declared dead (`buryJobs`);
 * - a try whose scheduler is dead is adopted: if it is running it goes on, if it is only queued it is queued again under a new id;
 * - a running try that is silent too long has lost its worker: it goes to retry or fails, once, by the guarded statement;
 * - a deferred try whose trigger takes too long is resumed, to fail;
 * - a queued try that no worker starts is requeued, twice at most, then failed.
 */
import type { ExecutorEvent, OrphanTry } from "../executors/index.ts";
import { toError } from "../platform/index.ts";
import {
  adoptTries,
  buryJobs,
  holdDispatchLock,
  lateWaits,
  lockOrphans,
  lockQueued,
  lostCallbacks,
  ORPHANS_MAX,
  type Orphan,
  recordLaunches,
  recoverCallbacks,
  releaseCallbacks,
  requeueTries,
  stuckTries,
  TRIES_MAX,
  type TryFacts,
  timeOutTriggers,
  triesByIds,
} from "../store/index.ts";
import { logPathOf } from "./commands/index.ts";
import { exceptCulprits, findFaults, isOnesFault, setFaultsAside } from "./culprits.ts";
import { failTries, REFUSED, STUCK } from "./fail-tries.ts";
import { workloadsOf } from "./hand-over.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** As in Airflow's hidden `num_stuck_in_queued_retries`. */
const QUEUE_ATTEMPTS_MAX = 2;
export const ACTIVE = ["running", "restarting"] as const;

/**
 * Executors are asked outside of the transaction, since they may have to query an outside system; their answers are applied only to
 * tries that are still orphans then. A running try goes on whatever its executor says, as long as it heartbeats.
 */
export async function adoptOrphans(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { store, logger } = resources;
  const buried = await buryJobs(store, "SchedulerJob", options.healthThresholdSec);
  if (buried > 0) logger.warn({ buried }, "found dead schedulers");
  let adopted = 0;
  let requeued = 0;
  // Executors that cannot answer now are skipped for the rest of this check, or each batch would wait for them.
  const unsure = new Set<string>();
  let orphans: Orphan[];
  for (let after: string | null = null; ; after = orphans.at(-1)?.id ?? null) {
    orphans = await lockOrphans(store, null, after);
    const { asked, kept } = await askExecutors(resources, options, orphans, unsure);
    await resources.pause("after-adoption-asked");
    await exceptCulprits(resources, options, asked, tryKey, async (ids) => {
      const counts = await takeOver(resources, options, ids, kept);
      adopted += counts.adopted;
      requeued += counts.requeued;
    });
    if (orphans.length < ORPHANS_MAX) break;
  }
  resources.metrics.count("scheduler.orphaned_tasks.adopted", {}, adopted);
  resources.metrics.count("scheduler.orphaned_tasks.cleared", {}, requeued);
  if (adopted + requeued > 0) logger.info({ adopted, requeued }, "took over the tasks of dead schedulers");
  const silentSec = options.silentTrySec * 15;
  await recoverCallbacks(store, silentSec).catch(async (error: unknown) => {
    if (!isOnesFault(error)) throw error;
    const faults = await findFaults(await lostCallbacks(store, silentSec), (ids) => recoverCallbacks(store, silentSec, ids));
    const culprits = faults.map((fault) => ({ kind: "callback" as const, subject: fault.item, error: fault.error }));
    await setFaultsAside(resources, options, culprits);
  });
  return adopted + requeued;
}

const tryKey = (id: string) => ({ kind: "try" as const, subject: id });

async function takeOver(
  { store }: SchedulerResources,
  options: SchedulerOptions,
  asked: readonly string[],
  kept: ReadonlySet<string>,
): Promise<{ adopted: number; requeued: number }> {
  return store.transaction(async (tx) => {
    // Adopted tries count as this scheduler's own, and its loop may be counting right now.
    await holdDispatchLock(tx);
    const still = await lockOrphans(tx, asked);
    const ours = still.filter(({ id, state }) => state !== "queued" || kept.has(id)).map(({ id }) => id);
    const back = still.map(({ id }) => id).filter((id) => !ours.includes(id));
    await adoptTries(tx, ours, options.jobId());
    return { adopted: ours.length, requeued: back.length > 0 ? await requeueTries(tx, back) : 0 };
  });
}

/**
 * `asked`: the orphans whose executor answered, or is not configured here any more; `kept`: those it goes on with. The names of
 * executors that could not answer are added to `unsure`.
 */
async function askExecutors(
  resources: SchedulerResources,
  options: SchedulerOptions,
  orphans: readonly Orphan[],
  unsure: Set<string>,
): Promise<{ asked: string[]; kept: Set<string> }> {
  const waiting = orphans.filter(({ state }) => state === "queued").map(({ id }) => id);
  const { workloads } = await workloadsOf(
    resources,
    options,
    waiting.length > 0 ? await lockQueued(resources.store, waiting) : [],
  );
  const workloadOf = new Map(workloads.map(({ workload }) => [workload.ti.id, workload]));
  const asked: string[] = [];
  const kept = new Set<string>();
  for (const name of new Set(orphans.map(({ executor }) => executor))) {
    if (unsure.has(name)) continue;
    const ofExecutor = orphans.filter(({ executor }) => executor === name);
    const answerable = ofExecutor.flatMap(({ id, state, externalExecutorId }): OrphanTry[] => {
      const workload = workloadOf.get(id) ?? null;
      return state === "queued" && !workload ? [] : [{ id, externalExecutorId, workload }];
    });
    try {
      for (const id of (await resources.executors.get(name)?.adopt(answerable)) ?? []) kept.add(id);
      asked.push(...ofExecutor.map(({ id }) => id));
    } catch (error) {
      unsure.add(name);
      resources.logger.warn(
        { executor: name, tries: ofExecutor.length, error: toError(error).message },
        "an executor cannot answer now which tries of a dead scheduler it goes on with; its orphans are skipped until the next check",
      );
    }
  }
  return { asked, kept };
}

/** Processes batch after batch in id order until none is left; tries that cannot be processed are skipped. */
export async function forEachBatch(
  read: (after: string | undefined) => Promise<TryFacts[]>,
  work: (batch: readonly TryFacts[]) => Promise<void>,
): Promise<void> {
  let batch: TryFacts[] = [];
  do {
    batch = await read(batch.at(-1)?.id);
    if (batch.length > 0) await work(batch);
  } while (batch.length === TRIES_MAX);
}

export async function requeueStuckTries(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { store, executors, logger, clock, outage } = resources;
  // Their workers ask again and again, and start them when the API is back.
  if (clock.now() < outage.spareUntilMs) return 0;
  const reason = `stuck in queued for more than ${options.queuedTimeoutSec} s, ${QUEUE_ATTEMPTS_MAX + 1} times: no worker took it`;
  let requeued = 0;
  let failed = 0;
  await forEachBatch(
    (after) => stuckTries(store, options.queuedTimeoutSec, after),
    async (stuck) => {
      for (const one of stuck) executors.get(one.executor)?.revoke(one.id);
      const again = stuck.filter((one) => one.queueAttempts < QUEUE_ATTEMPTS_MAX).map((one) => one.id);
      await exceptCulprits(resources, options, again, tryKey, (ids) => requeueTries(store, ids));
      const given = stuck.filter((one) => one.queueAttempts >= QUEUE_ATTEMPTS_MAX);
      await failTries(resources, options, given, { leaving: ["queued"], silentForSec: null }, () => reason, STUCK);
      requeued += again.length;
      failed += given.length;
    },
  );
  if (requeued + failed > 0) logger.warn({ requeued, failed }, "requeued or failed tries that no worker started");
  return requeued + failed;
}

/** Deferred tries that one statement times out. */
const TIMED_OUT_MAX = 500;

export async function timeOutLateWaits(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { store, logger } = resources;
  let total = 0;
  try {
    for (let count = TIMED_OUT_MAX; count === TIMED_OUT_MAX; total += count) count = await timeOutTriggers(store, TIMED_OUT_MAX);
  } catch (error) {
    if (!isOnesFault(error)) throw error;
    const faults = await findFaults(await lateWaits(store), async (ids) => {
      total += await timeOutTriggers(store, ids.length, ids);
    });
    await setFaultsAside(
      resources,
      options,
      faults.map((fault) => ({ ...tryKey(fault.item), error: fault.error })),
    );
  }
  if (total > 0) logger.info({ tries: total }, "triggers timed out; their tasks are resumed to fail");
  return total;
}

/**
 * Processes what executors report: a workload that was not started is requeued, a started one that is lost ends. Events that could
 * not be written are processed again; one that fails by itself only after a while.
 */
export async function takeExecutorEvents(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const { untold, clock } = resources;
  for (const executor of resources.executors.values())
    untold.push(...executor.takeEvents().map((event) => ({ event, notBeforeMs: 0 })));
  const due = untold.filter(({ notBeforeMs }) => notBeforeMs <= clock.now());
  if (due.length === 0) return 0;
  const events = due.map(({ event }) => event);
  const keyOf = ({ id }: ExecutorEvent) => tryKey(id);
  const faults = await exceptCulprits(resources, options, events, keyOf, (part) => heedEvents(resources, options, part));
  for (const one of due) untold.splice(untold.indexOf(one), 1);
  const notBeforeMs = clock.now() + EVENT_AGAIN_MS;
  untold.push(...faults.map(({ item }) => ({ event: item, notBeforeMs })));
  return events.length;
}

const EVENT_AGAIN_MS = 30_000;

async function heedEvents(
  resources: SchedulerResources,
  options: SchedulerOptions,
  events: readonly ExecutorEvent[],
): Promise<void> {
  const launched = events.filter((event) => event.kind === "launched");
  if (launched.length > 0) {
    await resources.pause("before-launch-record");
    await recordLaunches(resources.store, launched);
  }
  const missing = new Map(events.flatMap((event) => (event.kind === "missing" ? [[event.id, event.reason] as const] : [])));
  if (missing.size > 0) await heedMissing(resources, options, missing);
  const ended = events.filter((event) => event.kind !== "launched" && event.kind !== "missing");
  if (ended.length === 0) return;
  // Executors know workloads by id only; which of them are callbacks is known here.
  await releaseCallbacks(
    resources.store,
    ended.map((event) => event.id),
  );
  const notStarted = ended.filter((event) => event.kind === "not_started").map((event) => event.id);
  if (notStarted.length > 0) await requeueTries(resources.store, notStarted);
  const reasons = new Map(ended.flatMap((event) => (event.kind === "not_started" ? [] : [[event.id, event] as const])));
  const facts = reasons.size > 0 ? await triesByIds(resources.store, [...reasons.keys()]) : [];
  const lost = facts.filter((one) => reasons.get(one.id)?.kind === "lost");
  const refused = facts.filter((one) => reasons.get(one.id)?.kind === "refused");
  const reasonOf = (one: TryFacts) => reasons.get(one.id)?.reason ?? "its worker is gone";
  await failTries(resources, options, lost, { leaving: ACTIVE, silentForSec: null }, reasonOf);
  await failTries(resources, options, refused, { leaving: ["queued", ...ACTIVE], silentForSec: null }, reasonOf, REFUSED);
  await launchAgain(resources, options, lost, reasonOf);
}

/**
 * An outside system has not known these tries for a while. It may be wrong, so it fails no running try: `createSilenceWatch` does, if
 * the heartbeats end too. Callbacks are left to `recoverCallbacks` for the same reason.
 */
async function heedMissing(
  resources: SchedulerResources,
  options: SchedulerOptions,
  reasons: ReadonlyMap<string, string>,
): Promise<void> {
  const facts = await triesByIds(resources.store, [...reasons.keys()]);
  const reasonOf = ({ id }: TryFacts) => reasons.get(id) ?? "its executor does not know it";
  for (const one of facts.filter(({ state }) => state !== null && (ACTIVE as readonly string[]).includes(state)))
    await resources.noteInTryLog(logPathOf(one), `${reasonOf(one)}. The try goes on as long as it sends heartbeats.`);
  await launchAgain(resources, options, facts, reasonOf);
}

/**
 * Of tries without a worker, those that had not started. A worker that dies each time before it starts its try, for example because
 * of a wrong image, must not be launched, and paid for, for ever.
 */
async function launchAgain(
  resources: SchedulerResources,
  options: SchedulerOptions,
  tries: readonly TryFacts[],
  reasonOf: (one: TryFacts) => string,
): Promise<void> {
  const waiting = tries.filter((one) => one.state === "queued");
  const again = waiting.filter((one) => one.queueAttempts < QUEUE_ATTEMPTS_MAX).map((one) => one.id);
  if (again.length > 0) await requeueTries(resources.store, again);
  const given = waiting.filter((one) => one.queueAttempts >= QUEUE_ATTEMPTS_MAX);
  const why = (one: TryFacts) =>
    `its worker ended ${QUEUE_ATTEMPTS_MAX + 1} times before the try had started; the last: ${reasonOf(one)}`;
  await failTries(resources, options, given, { leaving: ["queued"], silentForSec: null }, why, REFUSED);
}
