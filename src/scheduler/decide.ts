import { startQueuedRuns } from "../store/index.ts";
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
  /** A further look may queue more. */
  more: boolean;
};

/**
 * Which queued runs begin and which owed callbacks run (`isFull` only), what may run by now, and what of it has a place: one transaction, since
 * most passes find a few ended tries, schedule what waited for them and queue just that. As two, each had a begin and a durable commit of
 * its own, a quarter of a pass's time. What need not be awaited goes along with the next statement: of eight round trips three are left.
 * What is owed for runs that end now comes with the full pass that follows. Lock order everywhere: DAG, run, task instance.
 */
export async function decide(resources: SchedulerResources, options: SchedulerOptions, isFull: boolean): Promise<Decided> {
  const { started, callbacks, evaluated, measured, dispatched } = await resources.store.transaction(async (tx) => {
    const starting = isFull ? await startQueuedRuns(tx, options.maxRunsToEvaluate) : null;
    const owed = isFull ? queueOwedCallbacks(tx, resources, options) : [];
    const evaluated = await evaluateRuns(tx, resources, options);
    const callbacks = await owed;
    const dispatched = await dispatch(tx, resources, options, placesForTasks(resources, callbacks.length));
    return { started: (await starting?.started) ?? [], callbacks, evaluated, measured: await evaluated.written, dispatched };
  });
  await handOverCallbacks(resources, callbacks);
  const { queued, more } = await settleDispatch(resources, options, dispatched);
  await settleEvaluation(resources, evaluated, measured);
  for (const { dagId, delaySec } of started)
    if (delaySec !== null) resources.metrics.time("dagrun.schedule_delay", { dag_id: dagId }, delaySec);
  return {
    started: started.length,
    claimed: evaluated.claimed,
    ended: evaluated.ended,
    queued,
    busy: dispatched.busy,
    more,
  };
}
