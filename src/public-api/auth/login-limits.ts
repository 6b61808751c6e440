/**
 * How fast passwords can be guessed. Each failed login takes a token from three buckets, which fill up again with time:
 *
 * - **name and address**: 5, and 5 a minute. A name that is guessed at from one address is refused there, and there only: its owner
 *   logs in from elsewhere.
 * - **address**: 20, and 30 a minute, whatever the names. It keeps one client from trying one password on many names, and from
 *   filling the queue of the hashes.
 * - **name**: 50, and 10 a minute, from all addresses. It never refuses, since anybody could lock a user out: a name without tokens is
 *   slow instead. Each login of it waits for 2 s, and of all such logins only 10 are under way at a time, so that a guess from many
 *   addresses leaves the hashing threads to other users.
 *
 * An address is a whole /64 of IPv6, since every customer has one. In memory: each process counts for itself, which is enough to make
 * guessing slow. Clients choose the keys, so their number is bounded; the one that was used longest ago is dropped first.
 */
import { type Clock, sleep } from "../../platform/index.ts";
import { refusal } from "../refuse.ts";
import { busy } from "./hash-pool.ts";

const PAIR = { burst: 5, perMinute: 5 };
const ADDRESS = { burst: 20, perMinute: 30 };
const NAME = { burst: 50, perMinute: 10 };
const SLOW_MS = 2_000;
const SLOW_MAX = 10;
const KEYS_MAX = 10_000;

export type LoginLimits = {
  /**
   * Calls `check` if the limits allow it; it returns null for a wrong name or password. The tokens are taken before, so that parallel
   * guesses do not pass together, and given back after a success. Throws `attempts_too_many` and `login_busy`.
   */
  attempt<T>(username: string, address: string, check: () => Promise<T | null>): Promise<T | null>;
};

export function createLoginLimits(clock: Clock, slowMs: number = SLOW_MS): LoginLimits {
  const pairs = createBuckets(clock, PAIR);
  const addresses = createBuckets(clock, ADDRESS);
  const names = createBuckets(clock, NAME);
  let slow = 0;

  async function slowly<T>(work: () => Promise<T>): Promise<T> {
    if (slow >= SLOW_MAX) throw busy();
    slow++;
    try {
      await sleep(slowMs);
      return await work();
    } finally {
      slow--;
    }
  }

  return {
    async attempt(username, address, check) {
      const pair = `${username}\n${address}`;
      const waitSec = Math.max(addresses.waitSec(address), pairs.waitSec(pair));
      if (waitSec > 0)
        throw refusal("attempts_too_many", `Too many failed logins. Try again in ${waitSec} s.`, { retryAfterSec: waitSec });
      addresses.take(address);
      pairs.take(pair);
      const isSlow = names.waitSec(username) > 0;
      if (!isSlow) names.take(username);
      const giveBack = () => {
        pairs.giveBack(pair);
        if (!isSlow) names.giveBack(username);
      };
      try {
        const checked = await (isSlow ? slowly(check) : check());
        if (checked !== null) {
          giveBack();
          addresses.giveBack(address);
        }
        return checked;
      } catch (error) {
        // Nothing was guessed: the database or the hashing threads refused. The request itself still counts for the address.
        giveBack();
        throw error;
      }
    },
  };
}

export type Rate = { burst: number; perMinute: number };
export type Buckets = {
  /** Whole seconds until there is a token; 0 = there is one. */
  waitSec(key: string): number;
  take(key: string): void;
  giveBack(key: string): void;
};

export function createBuckets(clock: Clock, { burst, perMinute }: Rate): Buckets {
  /** In the order of their last use. */
  const buckets = new Map<string, { tokens: number; at: number }>();
  const tokensOf = (key: string) => {
    const bucket = buckets.get(key);
    if (!bucket) return burst;
    const sinceMs = Math.max(0, clock.now() - bucket.at);
    return Math.min(burst, bucket.tokens + (sinceMs / 60_000) * perMinute);
  };
  const put = (key: string, tokens: number) => {
    buckets.delete(key);
    if (tokens < burst) buckets.set(key, { tokens, at: clock.now() });
    const [oldest] = buckets.keys();
    if (buckets.size > KEYS_MAX && oldest !== undefined) buckets.delete(oldest);
  };
  return {
    // Rounded to milliseconds: sums of fractions end just above a whole second.
    waitSec: (key) => Math.max(0, Math.ceil(Math.round(((1 - tokensOf(key)) * 60_000) / perMinute) / 1_000)),
    take: (key) => put(key, tokensOf(key) - 1),
    giveBack: (key) => put(key, tokensOf(key) + 1),
  };
}
