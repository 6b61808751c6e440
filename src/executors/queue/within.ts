import { startTimer, type Timer } from "../../platform/index.ts";

/** The work's answer, or an error after `ms`. The work itself is not stopped: it must be such that it may still happen. */
export async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: Timer | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = startTimer(ms, () => reject(new Error(`${what} took longer than ${ms} ms`)));
  });
  // Should the limit be first, nobody waits for the work any more.
  work.catch(() => {});
  try {
    return await Promise.race([work, limit]);
  } finally {
    timer?.cancel();
  }
}
