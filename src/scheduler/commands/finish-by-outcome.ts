import { isBuiltinTrigger, type Outcome } from "../../contracts/index.ts";
import {
  type Db,
  type Deferral,
  type FinishedTry,
  type FinishGuard,
  finishTries,
  lockRun,
  type Store,
  skipTasks,
  type TryEnd,
  triesByIds,
} from "../../store/index.ts";
import { retryDelaySec } from "../core/retry-delay.ts";
import { type DagCache, readableGraph } from "./dag-cache.ts";
import { finishAndStopRun, stopsRun } from "./fail-fast.ts";
import { type FinishResult, finishApart } from "./finish-apart.ts";
import { type Failure, oweAlerts, owesAnything } from "./owe-alerts.ts";

/** The secret part of a deferral, encrypted by the caller, who has the key. */
export type SealedDeferral = { kwargs: Buffer; nextKwargs: Buffer };
/** `sealed` belongs to a deferred outcome. */
export type TryOutcome = { id: string; outcome: Outcome; sealed?: SealedDeferral };

/**
 * Finishes tries by the outcomes that their workers report. What a failure becomes is decided here and nowhere else: up_for_retry while
 * tries are left and the error may be retried, else failed. Returns the tries that were finished; those missing were stale.
 *
 * An outcome that the database refuses fails its own try, with the reason, and no other: it would be refused each time it is sent.
 */
export async function finishByOutcome(
  store: Store,
  cache: DagCache,
  outcomes: readonly TryOutcome[],
  guard?: FinishGuard,
): Promise<FinishResult[]> {
  const branching = outcomes.filter(({ outcome }) => outcome.state === "success" && outcome.skipTasks.length > 0);
  const decided = await decideEnds(
    store,
    cache,
    outcomes.filter((one) => !branching.includes(one)),
  );
  const stopping = decided.filter(stops);
  const owing = decided.filter((one) => !stops(one) && one.failure && owesAnything(one.failure));
  const plain = decided.filter((one) => !stopping.includes(one) && !owing.includes(one));
  const apart = <T extends { id: string }>(ends: readonly T[], finish: (ends: readonly T[]) => Promise<FinishedTry[]>) =>
    finishApart(ends, finish, ({ id }, error) => {
      const reported = outcomes.find((one) => one.id === id)?.outcome.state;
      return failRefused(store, cache, { id, hasFailed: reported === "failed", error }, guard);
    });
  const endsOf = (some: readonly Decided[]) => some.map(({ end }) => end);
  const finished = await apart(plain, (some) => finishTries(store, endsOf(some), guard));
  finished.push(...(await apart(owing, (some) => store.transaction((tx) => finishOwing(tx, some, guard)))));
  for (const one of branching) finished.push(...(await apart([one], () => finishBranch(store, one, guard))));
  for (const one of stopping)
    finished.push(...(await apart([one], (some) => store.transaction((tx) => finishOwing(tx, some, guard)))));
  return finished;
}

/**
 * A try whose report the database refuses. Not to be retried: a task that reports the same again would run for nothing. Its onFailure
 * is owed unless the try had failed anyway, since then its runner has called it.
 */
async function failRefused(
  store: Store,
  cache: DagCache,
  { id, hasFailed, error }: { id: string; hasFailed: boolean; error: Error },
  guard: FinishGuard | undefined,
): Promise<FinishResult[]> {
  const refused = `The database refused what the try reported: ${error.message}`;
  const outcome: Outcome = {
    state: "failed",
    retryable: false,
    owesCallback: !hasFailed,
    error: { name: "OutcomeRefusedError", message: refused, stack: null },
    xcoms: [],
  };
  const decided = await decideEnds(store, cache, [{ id, outcome }]);
  const finished = await store.transaction((tx) => finishOwing(tx, decided, guard));
  return finished.map((one) => ({ ...one, refused }));
}

/** As `finishByOutcome`, for one failed try, in the caller's transaction. */
export async function finishFailed(
  tx: Db,
  cache: DagCache,
  id: string,
  outcome: Extract<Outcome, { state: "failed" }>,
  guard: FinishGuard,
): Promise<FinishedTry[]> {
  return finishOwing(tx, await decideEnds(tx, cache, [{ id, outcome }]), guard);
}

/** `failure`: set if the try failed and its DAG version can be read. */
type Decided = { id: string; end: TryEnd; failure: Failure | null };

function stops({ failure }: Decided): boolean {
  return failure !== null && stopsRun(failure);
}

/**
 * Finishes the tries, writes what is owed for them, and under `failFast` ends the whole run, in one transaction. A try that stops
 * its run must come alone, since the run's lock is taken first.
 */
async function finishOwing(tx: Db, decided: readonly Decided[], guard?: FinishGuard): Promise<FinishedTry[]> {
  const failures = decided.flatMap(({ failure }) => failure ?? []);
  const [stopping] = failures.filter(stopsRun);
  const finished = stopping
    ? await finishAndStopRun(tx, stopping, guard)
    : await finishTries(
        tx,
        decided.map(({ end }) => end),
        guard,
      );
  await oweAlerts(tx, failures, finished);
  return finished;
}

/** A branch's end and the skips it decides are committed together, else tasks on the skipped paths could start in between. */
async function finishBranch(store: Store, { id, outcome }: TryOutcome, guard?: FinishGuard): Promise<FinishedTry[]> {
  return store.transaction(async (tx) => {
    const [fact] = await triesByIds(tx, [id]);
    if (!fact) return [];
    // Lock order everywhere: the run before its task instances.
    await lockRun(tx, fact.dagId, fact.runId);
    const finished = await finishTries(tx, [endOf({ id, outcome })], guard);
    if (finished.length > 0 && outcome.state === "success") {
      // A mapped branch decides over the instances of its own index only, as in Airflow.
      const { mapIndex } = fact;
      const targets = mapIndex < 0 ? outcome.skipTasks : outcome.skipTasks.map((taskId) => ({ taskId, mapIndex }));
      await skipTasks(tx, fact.dagRunId, targets);
    }
    return finished;
  });
}

async function decideEnds(db: Db, cache: DagCache, outcomes: readonly TryOutcome[]): Promise<Decided[]> {
  const open = outcomes.filter(({ outcome }) => outcome.state === "failed" || outcome.state === "deferred").map(({ id }) => id);
  const facts = open.length === 0 ? [] : await triesByIds(db, open);
  const decided: Decided[] = [];
  for (const one of outcomes) {
    const { id, outcome } = one;
    const end = endOf(one);
    const fact = facts.find((each) => each.id === id);
    if (fact && end.deferral) {
      const graph = await readableGraph(cache, db, fact.versionId);
      end.deferral.executionTimeoutSec = graph?.tasks[graph.indexOf.get(fact.taskId) ?? -1]?.executionTimeoutSec ?? null;
    }
    if (!fact || outcome.state !== "failed") {
      decided.push({ id, end, failure: null });
      continue;
    }
    const graph = await readableGraph(cache, db, fact.versionId);
    const task = graph?.tasks[graph.indexOf.get(fact.taskId) ?? -1];
    if (outcome.retryable && fact.tryNumber <= fact.maxTries) {
      end.state = "up_for_retry";
      end.nextAttemptInSec = task ? retryDelaySec(task, fact.tryNumber, id) : 0;
    }
    decided.push({ id, end, failure: graph && task ? { fact, graph, task, end, outcome } : null });
  }
  return decided;
}

export function endOf({ id, outcome, sealed }: TryOutcome): TryEnd {
  return {
    id,
    state: outcome.state,
    deferral: outcome.state === "deferred" ? deferralOf(id, outcome, sealed) : null,
    nextAttemptInSec:
      outcome.state === "up_for_reschedule" ? Math.max(0, (Date.parse(outcome.rescheduleDate) - Date.now()) / 1_000) : null,
    reason: reasonOf(outcome),
    xcoms: "xcoms" in outcome ? outcome.xcoms : [],
    renderedFields: outcome.renderedFields ?? null,
    mapLength: outcome.state === "success" ? (outcome.mapLength ?? null) : null,
    renderedMapIndex: "renderedMapIndex" in outcome ? (outcome.renderedMapIndex ?? null) : null,
  };
}

/** Why the try ended, as the history keeps it; null where there is nothing to say. */
export function reasonOf(outcome: Outcome): string | null {
  if (outcome.state === "failed") return `${outcome.error.name}: ${outcome.error.message}`.slice(0, 2_000);
  return outcome.state === "skipped" ? outcome.reason : null;
}

function deferralOf(
  id: string,
  { classpath, timeoutSec, nextMethod }: Extract<Outcome, { state: "deferred" }>,
  sealed: SealedDeferral | undefined,
): Deferral {
  if (sealed === undefined) throw new Error(`the deferral of try ${id} was not encrypted`);
  return { classpath, isUserDefined: !isBuiltinTrigger(classpath), timeoutSec, executionTimeoutSec: null, nextMethod, ...sealed };
}
