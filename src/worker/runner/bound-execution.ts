import { BaramError, startTimer, type Timer } from "../../platform/index.ts";
import { TaskAbortedError, TaskTimeoutError } from "./task-failure.ts";

export type ExecutionLimits = {
  outer: AbortSignal;
  timeoutSec: number | null;
  /**
   * How long the work may take to clean up (end its children) once its signal has aborted; after that this returns without it. null:
   * for ever, since a function cannot be stopped from outside, and whoever is told by `onStop` ends the process.
   */
  graceMs: number | null;
  /** Rejects where the work has failed although its promise does not say so: an error that nobody caught. */
  uncaught?: Promise<never>;
  /** The work's signal has just aborted, for this reason. */
  onStop?: (reason: BaramError) => void;
};

/**
 * Runs `work` until it ends. When its time is up, or `outer` aborts, `work`'s signal aborts and the grace begins.
 * @throws TaskTimeoutError even when the work ends well during the grace; the reason of the abort when it did not end in it.
 */
export async function boundExecution<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { outer, timeoutSec, graceMs, uncaught, onStop }: ExecutionLimits,
): Promise<T> {
  const stop = new AbortController();
  const timers: Timer[] = [];
  let onGraceOver: (reason: BaramError) => void = () => {};
  const graceOver = new Promise<never>((_resolve, reject) => {
    onGraceOver = reject;
  });
  graceOver.catch(() => undefined);
  const abort = (reason: BaramError) => {
    if (stop.signal.aborted) return;
    onStop?.(reason);
    if (graceMs !== null) timers.push(startTimer(graceMs, () => onGraceOver(reason)));
    stop.abort(reason);
  };
  const onOuterAbort = () => abort(outer.reason instanceof BaramError ? outer.reason : new TaskAbortedError());
  outer.addEventListener("abort", onOuterAbort, { once: true });
  if (timeoutSec !== null) timers.push(startTimer(timeoutSec * 1000, () => abort(new TaskTimeoutError(timeoutSec))));
  if (outer.aborted) onOuterAbort();
  try {
    const running = work(stop.signal);
    // A function that fails after its grace must not bring the process down as an unhandled rejection.
    running.catch(() => undefined);
    const result = await Promise.race(uncaught ? [running, graceOver, uncaught] : [running, graceOver]);
    if (stop.signal.reason instanceof TaskTimeoutError) throw stop.signal.reason;
    return result;
  } catch (error) {
    throw stop.signal.reason instanceof TaskTimeoutError ? stop.signal.reason : error;
  } finally {
    for (const timer of timers) timer.cancel();
    outer.removeEventListener("abort", onOuterAbort);
  }
}
