import { startTimer, type Timer } from "../platform/index.ts";

/**
 * Resolves with the work's answer, or rejects after `ms` with a `TimeoutError`. The work is not stopped, so it must be harmless if it still completes.
 */
export async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: Timer | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = startTimer(ms, () => reject(Object.assign(new Error(`${what} took longer than ${ms} ms`), { name: "TimeoutError" })));
  });
  // If the limit comes first, nothing awaits the work any more.
  work.catch(() => {});
  try {
    return await Promise.race([work, limit]);
  } finally {
    timer?.cancel();
  }
}
