import { BaramError, startTimer, type Timer } from "../../platform/index.ts";
import { TaskAbortedError, TaskTimeoutError } from "./task-failure.ts";

export type ExecutionLimits = {
  outer: AbortSignal;
  timeoutSec: number | null;
  /**
   * How long the work may take to clean up (stop its children) after its signal has aborted; then this returns without waiting for
   * it. null: no limit, since the caller ends the process through `onStop`.
   */
  graceMs: number | null;
  /** Rejects if the work failed by an uncaught error, which its promise does not show. */
  uncaught?: Promise<never>;
  /** Called when the work's signal has aborted, with the reason. */
  onStop?: (reason: BaramError) => void;
};

/**
 * Runs `work` until it ends. When its time is up, or `outer` aborts, `work`'s signal aborts and the grace period begins. @throws
 * TaskTimeoutError even if the work succeeds during the grace period; the reason of the abort if the work does not end in it.
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
    // A function that fails after its grace period must not end the process with an unhandled rejection.
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
