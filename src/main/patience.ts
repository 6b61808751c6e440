/**
 * How long a statement of a role outlasts a database that cannot be reached, by what the role is doing:
 *
 * - starting: until `startSec` after the process began, the same for every role, since there is nothing yet that others wait for. A stop
 *   that is asked for ends the start at the next attempt.
 * - running: as long as the store wants.
 * - stopping: a moment, once for all statements of the process: those that come later in the same outage are tried once. Whoever asked
 *   the process to end would kill it otherwise, and what it has not written is made good by others.
 */
export type Patience = {
  /** The window of a statement, for a store that waits `runningMs` while its role runs. */
  windowMs(runningMs: number): (sinceMs: number, awaySinceMs: number) => number;
  started(): void;
  stop(): void;
  /** A stop was asked for before the role had started. */
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
