/**
 * How long a role's statement is retried while the database cannot be reached, by the role's phase:
 *
 * - starting: until `startSec` after the process began, the same for every role, since nothing depends on it yet. A requested stop
 *   ends the start at the next attempt.
 * - running: as configured for the store.
 * - stopping: a short time in total for all statements of the process; later ones of the same outage are tried once. Otherwise the
 *   process would be killed; what it has not written is recovered by others.
 */
export type Patience = {
  /** The retry window of a statement, for a store that retries for `runningMs` while its role runs. */
  windowMs(runningMs: number): (sinceMs: number, awaySinceMs: number) => number;
  started(): void;
  stop(): void;
  /** A stop was requested before the role had started. */
  isStartGivenUp(): boolean;
};

const STOPPING_MS = 3_000;

export function createPatience(startSec: number, now: () => number = Date.now): Patience {
  const startEndsMs = now() + startSec * 1_000;
  let hasStarted = false;
  let stopMs: number | null = null;
  return {
    windowMs: (runningMs) => (sinceMs, awaySinceMs) => {
      if (!hasStarted) return stopMs === null ? startEndsMs - sinceMs : 0;
      if (stopMs === null) return runningMs;
      return Math.min(runningMs, Math.max(stopMs, awaySinceMs) + STOPPING_MS - sinceMs);
    },
    started() {
      hasStarted = true;
    },
    stop() {
      stopMs ??= now();
    },
    isStartGivenUp: () => stopMs !== null && !hasStarted,
  };
}
