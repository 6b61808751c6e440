export type TokenBucket = {
  /** Takes a token and returns 0, or returns the milliseconds until there may be one. */
  take(nowMs: number): number;
  /** AWS throttled: no tokens for a while, longer each time in a row. */
  punish(nowMs: number): void;
  /** A request was accepted. */
  reward(): void;
};

const PUNISHMENT_MS = 500;
const PUNISHMENT_MAX_MS = 20_000;

/**
 * Limits requests as AWS itself does: `burst` at once, `perSec` sustained. `random` returns 0..1, so that several schedulers do not
 * resume at the same time.
 */
export function createTokenBucket(options: { perSec: number; burst: number; random?: () => number }): TokenBucket {
  const random = options.random ?? Math.random;
  let tokens = options.burst;
  let filledMs = Number.NEGATIVE_INFINITY;
  let closedUntilMs = 0;
  let inARow = 0;
  return {
    take(nowMs) {
      if (nowMs < closedUntilMs) return closedUntilMs - nowMs;
      tokens = Math.min(options.burst, tokens + (Math.max(0, nowMs - filledMs) / 1_000) * options.perSec);
      filledMs = nowMs;
      if (tokens >= 1) {
        tokens -= 1;
        return 0;
      }
      return Math.ceil(((1 - tokens) / options.perSec) * 1_000);
    },
    punish(nowMs) {
      // Throttled requests that were in flight together count once.
      if (nowMs < closedUntilMs) return;
      const longestMs = Math.min(PUNISHMENT_MAX_MS, PUNISHMENT_MS * 2 ** inARow++);
      closedUntilMs = nowMs + longestMs * (0.5 + random() / 2);
      tokens = Math.min(tokens, 1);
    },
    reward() {
      inARow = 0;
    },
  };
}
