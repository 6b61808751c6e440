import { type AsideKey, type Only, runsOfPass, startQueuedRuns, takeSetAside } from "../store/index.ts";
import { findFaults, isOnesFault, setFaultsAside } from "./culprits.ts";
import { dispatch, settleDispatch } from "./dispatch.ts";
import { handOverCallbacks, placesForTasks, queueOwedCallbacks } from "./dispatch-callbacks.ts";
import { evaluateRuns, settleEvaluation } from "./evaluate-runs.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

export type Decided = {
  /** Queued runs that were started. */
  started: number;
  /** Runs evaluated. */
  claimed: number;
  ended: number;
  queued: number;
  /** Another scheduler was dispatching; the evaluation was committed all the same. */
  busy: boolean;
  /** Another pass may find more: a full one, or a light one. */
  again: "full" | "light" | null;
};

/** The runs of a pass: all that are not set aside; some of these; or a single one that is set aside. */
type Scope = { readonly only: Only; readonly trial: AsideKey | null };
const ALL: Scope = { only: null, trial: null };

/**
 * Starts queued runs and queues owed callbacks (`isFull` only), evaluates runs, and dispatches what has room. A run that makes this
 * fail is set aside, and the rest is decided without it.
 */
export async function decide(resources: SchedulerResources, options: SchedulerOptions, isFull: boolean): Promise<Decided> {
  let written: Written;
  try {
    written = await write(resources, options, isFull, ALL);
  } catch (error) {
    if (!isOnesFault(error)) throw error;
    return decideApart(resources, options, isFull, error);
  }
  return settle(resources, options, written);
}

/** Called after a pass failed with `error` and was rolled back. */
async function decideApart(
  resources: SchedulerResources,
  options: SchedulerOptions,
  isFull: boolean,
  error: unknown,
): Promise<Decided> {
  // The control: if it fails without any run, no run is the cause.
  const sum = await settle(resources, options, await write(resources, options, isFull, { only: [], trial: null }));
  // A failure after the commit has no run as its cause either.
  let later: unknown = null;
  const faults = await findFaults(await runsOfPass(resources.store), async (only) => {
    const written = await write(resources, options, isFull, { only, trial: null });
    const part = await settle(resources, options, written).catch((failure: unknown) => {
      later ??= failure;
    });
    for (const count of ["started", "claimed", "ended", "queued"] as const) sum[count] += part?.[count] ?? 0;
  });
  await setFaultsAside(
    resources,
    options,
    faults.map((fault) => ({ kind: "run" as const, subject: String(fault.item), error: fault.error })),
  );
  if (later !== null) throw later;
  if (faults.length === 0) throw error;
  return { ...sum, again: "full" };
}

/** Decides a run that was set aside, by itself, and restores it. false = it is gone, or another scheduler is trying it. */
export async function decideAgain(resources: SchedulerResources, options: SchedulerOptions, key: AsideKey): Promise<boolean> {
  const written = await write(resources, options, true, { only: [Number(key.subject)], trial: key });
  await settle(resources, options, written);
  return written.isTaken;
}

type Written = Awaited<ReturnType<typeof write>>;

/**
 * One transaction, since most passes find a few finished tries, schedule what waited for them, and queue just that. Two
 * transactions, each with its own begin and durable commit, cost a quarter of a pass's time more. Statements that need not be
 * awaited are pipelined with the next one: three round trips instead of eight. What is owed for runs that end here is done in the
 * full pass that follows. Lock order everywhere: DAG, run, task instance.
 */
async function write(resources: SchedulerResources, options: SchedulerOptions, isFull: boolean, { only, trial }: Scope) {
  return resources.store.transaction(async (tx) => {
    const isTaken = trial !== null && (await takeSetAside(tx, trial));
    // What would be launched now could not start, and would hold its place in pools and limits.
    const isPaused = resources.outage.isOn;
    const starting = isFull ? await startQueuedRuns(tx, options.maxRunsToEvaluate, only) : null;
    const owed = isFull && !isPaused ? queueOwedCallbacks(tx, resources, options, only) : [];
    const evaluated = await evaluateRuns(tx, resources, options, only, isTaken);
    const callbacks = await owed;
    const places = isPaused ? new Map<string, number>() : placesForTasks(resources, callbacks.length);
    const dispatched = await dispatch(tx, resources, options, places, only);
    const started = (await starting?.started) ?? [];
    return { isTaken, starting, started, callbacks, evaluated, measured: await evaluated.written, dispatched };
  });
}

/** After the commit: hands over what was queued, and logs. */
async function settle(
  resources: SchedulerResources,
  options: SchedulerOptions,
  { starting, started, callbacks, evaluated, measured, dispatched }: Written,
): Promise<Decided> {
  await handOverCallbacks(resources, options, callbacks);
  for (const { dagId, runId, delaySec } of started) {
    resources.logger.info({ dagId, runId }, "run started");
    if (delaySec !== null) resources.metrics.time("dagrun.schedule_delay", { dag_id: dagId }, delaySec);
  }
  const { queued, more } = await settleDispatch(resources, options, dispatched);
  await settleEvaluation(resources, options, evaluated, measured);
  // A limit was reached in what only a full pass does ...
  const isCut =
    starting?.dags === options.maxRunsToEvaluate || (callbacks.length > 0 && callbacks.length === options.maxCallbacks);
  return {
    started: started.length,
    claimed: evaluated.claimed,
    ended: evaluated.ended,
    queued,
    busy: dispatched.busy,
    // ... or in what a light pass does, too.
    again: evaluated.ended > 0 || isCut ? "full" : evaluated.claimed >= options.maxRunsToEvaluate || more ? "light" : null,
  };
}
