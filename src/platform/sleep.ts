import { startTimer } from "./timer.ts";

/** Resolves after `ms`, or immediately if `signal` aborts. It never rejects, so a loop only has to check the signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = startTimer(ms, done);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
