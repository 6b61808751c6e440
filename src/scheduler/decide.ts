import { type AsideKey, type Only, runsOfPass, startQueuedRuns, takeSetAside } from "../store/index.ts";
import { findFaults, isOnesFault, setFaultsAside } from "./culprits.ts";
import { dispatch, settleDispatch } from "./dispatch.ts";
import { handOverCallbacks, placesForTasks, queueOwedCallbacks } from "./dispatch-callbacks.ts";
import { evaluateRuns, settleEvaluation } from "./evaluate-runs.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

export type Decided = {
  /** Queued runs that have begun. */
  started: number;
  /** Runs looked at. */
  claimed: number;
  ended: number;
  queued: number;
  /** Another scheduler was dispatching; what was evaluated stands all the same. */
  busy: boolean;
  /** A further look may find more: at everything, or at what a light pass looks at. */
  again: "full" | "light" | null;
};

/** What a pass is about: all runs that are not set aside; some of these; or one that is, by itself. */
type Scope = { readonly only: Only; readonly trial: AsideKey | null };
const ALL: Scope = { only: null, trial: null };

/**
 * Which queued runs begin and which owed callbacks run (`isFull` only), what may run by now, and what of it has a place. A run with which that
 * fails is set aside, and everything is decided without it.
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

/** After a pass that failed with `error`, of which nothing was written. */
async function decideApart(
  resources: SchedulerResources,
  options: SchedulerOptions,
  isFull: boolean,
  error: unknown,
): Promise<Decided> {
  // The control: what fails with no run at all is no run's fault.
  const sum = await settle(resources, options, await write(resources, options, isFull, { only: [], trial: null }));
  // What fails behind a commit is no run's fault either.
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

/** Decides about a run that was set aside, and takes it back. false = it is gone, or another scheduler is trying it. */
export async function decideAgain(resources: SchedulerResources, options: SchedulerOptions, key: AsideKey): Promise<boolean> {
  const written = await write(resources, options, true, { only: [Number(key.subject)], trial: key });
  await settle(resources, options, written);
  return written.isTaken;
}

type Written = Awaited<ReturnType<typeof write>>;

/**
 * One transaction, since most passes find a few ended tries, schedule what waited for them and queue just that. As two, each had a begin and a
 * durable commit of its own, a quarter of a pass's time. What need not be awaited goes along with the next statement: of eight round trips
 * three are left. What is owed for runs that end now comes with the full pass that follows. Lock order everywhere: DAG, run, task instance.
 */
async function write(resources: SchedulerResources, options: SchedulerOptions, isFull: boolean, { only, trial }: Scope) {
  return resources.store.transaction(async (tx) => {
    const isTaken = trial !== null && (await takeSetAside(tx, trial));
    const starting = isFull ? await startQueuedRuns(tx, options.maxRunsToEvaluate, only) : null;
    const owed = isFull ? queueOwedCallbacks(tx, resources, options, only) : [];
    const evaluated = await evaluateRuns(tx, resources, options, only, isTaken);
    const callbacks = await owed;
    const dispatched = await dispatch(tx, resources, options, placesForTasks(resources, callbacks.length), only);
    const started = (await starting?.started) ?? [];
    return { isTaken, starting, started, callbacks, evaluated, measured: await evaluated.written, dispatched };
  });
}

/** Behind the commit: hands over what was queued, and tells. */
async function settle(
  resources: SchedulerResources,
  options: SchedulerOptions,
  { starting, started, callbacks, evaluated, measured, dispatched }: Written,
): Promise<Decided> {
  await handOverCallbacks(resources, callbacks);
  for (const { dagId, runId, delaySec } of started) {
    resources.logger.info({ dagId, runId }, "run started");
    if (delaySec !== null) resources.metrics.time("dagrun.schedule_delay", { dag_id: dagId }, delaySec);
  }
  const { queued, more } = await settleDispatch(resources, options, dispatched);
  await settleEvaluation(resources, options, evaluated, measured);
  // Where a limit cut: of what a light pass does not look at, ...
  const isCut =
    starting?.dags === options.maxRunsToEvaluate || (callbacks.length > 0 && callbacks.length === options.maxCallbacks);
  return {
    started: started.length,
    claimed: evaluated.claimed,
    ended: evaluated.ended,
    queued,
    busy: dispatched.busy,
    // ... and of what it does.
    again: evaluated.ended > 0 || isCut ? "full" : evaluated.claimed >= options.maxRunsToEvaluate || more ? "light" : null,
  };
}
