import type { Logger } from "../platform/index.ts";

/**
 * Logs outages of the database: one line at the loss, one every 30 seconds with the number of attempts, one at the return. All
 * stores of a process share one; code whose statement fails because of the outage logs nothing itself (`isDatabaseAway`).
 */
export type OutageWatch = {
  /** Whether the database has ever answered this process. */
  hasAnswered(): boolean;
  /** Since when the database is away, as far as this process knows; null while it answers. */
  sinceMs(): number | null;
  /**
   * Taken before a statement is sent, and passed to `answered`: an answer to a statement sent before the loss does not prove that
   * the database is back.
   */
  mark(): number;
  answered(mark: number): void;
  failed(fault: Fault): void;
};

/** `database`: as host:port/name. `nextTrySec`: null if this statement is not tried again. */
type Fault = { database: string; error: string; nextTrySec: number | null };

const TELL_EVERY_MS = 30_000;

export function createOutageWatch(logger: Logger, now: () => number = Date.now): OutageWatch {
  let hasAnswered = false;
  let failures = 0;
  let away: { sinceMs: number; attempt: number; toldMs: number } | null = null;

  return {
    hasAnswered: () => hasAnswered,
    sinceMs: () => away?.sinceMs ?? null,
    mark: () => failures,
    answered(mark) {
      hasAnswered = true;
      if (away === null || mark !== failures) return;
      const { sinceMs, attempt } = away;
      away = null;
      // A warning too, so that whoever sees the loss sees the return.
      logger.warn({ awaySec: seconds(now() - sinceMs), attempts: attempt }, "the database is back");
    },
    failed({ nextTrySec, ...fault }) {
      failures++;
      away ??= { sinceMs: now(), attempt: 0, toldMs: Number.NEGATIVE_INFINITY };
      away.attempt++;
      if (now() - away.toldMs < TELL_EVERY_MS) return;
      const isFirst = away.attempt === 1;
      away.toldMs = now();
      const next = nextTrySec === null ? {} : { nextTrySec: seconds(nextTrySec * 1_000) };
      const facts = { ...fault, attempt: away.attempt, ...next };
      if (isFirst) logger.warn(facts, "the database cannot be reached; trying again");
      else
        logger.warn({ ...facts, awaySec: seconds(now() - away.sinceMs) }, "the database still cannot be reached; trying again");
    },
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
