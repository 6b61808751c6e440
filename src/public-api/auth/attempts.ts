import type { Clock } from "../../platform/index.ts";

/** Failed logins per user name and address. In memory: each process counts for itself, which is enough to make guessing slow. */
export type Attempts = {
  /** Seconds to wait; 0 = a login may be tried now. */
  waitSec(key: string): number;
  failed(key: string): void;
  succeeded(key: string): void;
};

const WINDOW_MS = 60_000;
const FAILURES_MAX = 5;
/** Clients choose the keys, so the number of keys is limited; the oldest are dropped. */
const KEYS_MAX = 10_000;

export function createAttempts(clock: Clock): Attempts {
  const failures = new Map<string, { count: number; since: number }>();
  const current = (key: string) => {
    const entry = failures.get(key);
    if (entry && clock.now() - entry.since < WINDOW_MS) return entry;
    failures.delete(key);
    return undefined;
  };
  return {
    waitSec(key) {
      const entry = current(key);
      if (!entry || entry.count < FAILURES_MAX) return 0;
      return Math.max(1, Math.ceil((entry.since + WINDOW_MS - clock.now()) / 1_000));
    },
    failed(key) {
      const entry = current(key);
      if (entry) entry.count++;
      else failures.set(key, { count: 1, since: clock.now() });
      for (const oldest of failures.keys()) {
        if (failures.size <= KEYS_MAX) break;
        failures.delete(oldest);
      }
    },
    succeeded(key) {
      failures.delete(key);
    },
  };
}
