import type pg from "pg";
import { sleep } from "../../../platform/index.ts";
import type { Store } from "../../store.ts";

/** Held by the session of a scheduler that must be the only one. */
const SCHEDULER_LOCK = 727_006;
const RETRY_MS = 1_000;

export type HeldLock = { release(): Promise<void> };

/**
 * Takes the lock of a scheduler that must be the only one, on a dedicated connection, and takes it again if that connection is
 * lost. null = another scheduler holds it. `onLost`: after a lost connection another scheduler took the lock; this one must stop.
 */
export async function holdSchedulerLock(store: Store, onLost: () => void): Promise<HeldLock | null> {
  const stopping = new AbortController();
  let client: pg.PoolClient | null = null;

  /** false = another session holds it. */
  async function take(): Promise<boolean> {
    const taken = await store.pool.connect();
    const { rows } = await taken.query<{ got: boolean }>("select pg_try_advisory_lock($1) as got", [SCHEDULER_LOCK]);
    if (!rows[0]?.got) {
      taken.release();
      return false;
    }
    client = taken;
    taken.once("end", () => void takeAgain(taken));
    return true;
  }

  async function takeAgain(broken: pg.PoolClient): Promise<void> {
    client = null;
    broken.release(true);
    while (!stopping.signal.aborted) {
      try {
        if (!(await take())) onLost();
        return;
      } catch {
        await sleep(RETRY_MS, stopping.signal);
      }
    }
  }

  if (!(await take())) return null;
  return {
    async release() {
      stopping.abort();
      const held = client;
      client = null;
      held?.removeAllListeners("end");
      // Closing the session releases the lock.
      held?.release(true);
    },
  };
}
