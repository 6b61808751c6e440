import { BaramError } from "../../platform/index.ts";
import { TaskAbortedError, TaskTimeoutError } from "./task-failure.ts";

/** Longest delay that setTimeout keeps; beyond it Node fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `work` until it ends, its time is up, or `outer` aborts. In the last two cases `work`'s signal aborts and it gets
 * `graceMs` to clean up (kill its children); after that this returns without it, since a function cannot be stopped from
 * outside: the supervisor ends the process.
 * @throws TaskTimeoutError even when the work ends well during the grace; the reason of the abort when it did not end in it.
 */
export async function boundExecution<T>(
  work: (signal: AbortSignal) => Promise<T>,
  limits: { outer: AbortSignal; timeoutSec: number | null; graceMs: number },
): Promise<T> {
  const { outer, timeoutSec, graceMs } = limits;
  const stop = new AbortController();
  const onOuterAbort = () => stop.abort(outer.reason instanceof BaramError ? outer.reason : new TaskAbortedError());
  if (outer.aborted) onOuterAbort();
  outer.addEventListener("abort", onOuterAbort, { once: true });
  const timers: NodeJS.Timeout[] = [];
  if (timeoutSec !== null) {
    timers.push(setTimeout(() => stop.abort(new TaskTimeoutError(timeoutSec)), Math.min(timeoutSec * 1000, MAX_TIMER_MS)));
  }
  const graceOver = new Promise<never>((_resolve, reject) => {
    const startGrace = () => timers.push(setTimeout(() => reject(stop.signal.reason), graceMs));
    if (stop.signal.aborted) startGrace();
    else stop.signal.addEventListener("abort", startGrace, { once: true });
  });
  graceOver.catch(() => undefined);
  try {
    const running = work(stop.signal);
    // A function that fails after its grace must not bring the process down as an unhandled rejection.
    running.catch(() => undefined);
    const result = await Promise.race([running, graceOver]);
    if (stop.signal.reason instanceof TaskTimeoutError) throw stop.signal.reason;
    return result;
  } catch (error) {
    throw stop.signal.reason instanceof TaskTimeoutError ? stop.signal.reason : error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    outer.removeEventListener("abort", onOuterAbort);
  }
}
