/**
 * How long tries have waited for capacity. The key stays the same while the try's ids change: Fargate may find that it has no room only
 * after it has accepted the task.
 */
export type CapacityWait = {
  /** A launch of the try found no capacity. Returns the delay before the next one; null: it has waited for its whole time. */
  fail(tryKey: string, nowMs: number): number | null;
  /** What is left of that delay. */
  delayMs(tryKey: string, nowMs: number): number;
};

const DELAY_MS = 5_000;
const DELAY_MAX_MS = 60_000;
/** A try that was not without capacity for so long waits anew. */
const FORGOTTEN_AFTER_MS = 10 * DELAY_MAX_MS;
/** The oldest entries are evicted first; an evicted try waits for its whole time again. */
const KEPT_MAX = 10_000;

type Entry = { sinceMs: number; lastMs: number; untilMs: number; failed: number };

export function createCapacityWait(options: { maxMs: number; random?: () => number }): CapacityWait {
  const random = options.random ?? Math.random;
  const entries = new Map<string, Entry>();
  return {
    fail(tryKey, nowMs) {
      const before = entries.get(tryKey);
      entries.delete(tryKey);
      const isAnew = before === undefined || nowMs - before.lastMs > FORGOTTEN_AFTER_MS;
      const entry = isAnew ? { sinceMs: nowMs, lastMs: nowMs, untilMs: nowMs, failed: 0 } : before;
      const leftMs = entry.sinceMs + options.maxMs - nowMs;
      if (leftMs <= 0) return null;
      entry.lastMs = nowMs;
      const longestMs = Math.min(DELAY_MAX_MS, DELAY_MS * 2 ** entry.failed++);
      // The last attempt is made at the end of the time, not before it.
      const delayMs = Math.min(leftMs, longestMs * (0.5 + random() / 2));
      entry.untilMs = nowMs + delayMs;
      entries.set(tryKey, entry);
      const [oldest] = entries.keys();
      if (entries.size > KEPT_MAX && oldest !== undefined) entries.delete(oldest);
      return delayMs;
    },
    delayMs: (tryKey, nowMs) => Math.max(0, (entries.get(tryKey)?.untilMs ?? 0) - nowMs),
  };
}
