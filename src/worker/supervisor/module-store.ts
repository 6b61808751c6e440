import { utimes } from "node:fs/promises";
import { createModuleCheck, type Logger, materializeModule, pruneModules, sleep, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";

/** The worker's cache of modules by content hash, so entries never become outdated. */
export type ModuleStore = {
  /** Path of the module's file; fetches it with the token if it is not here yet. */
  pathOf(hash: string, token: string): Promise<string>;
  close(): void;
};

export type ModuleStoreOptions = {
  cacheFolder: string;
  resolveFrom: readonly string[];
  retryWindowMs: number;
  /** The size limit of the cache, not counting modules in use. */
  maxBytes: number;
  /** Whether a try or a warm process uses the module. */
  isInUse(hash: string): boolean;
};

type Known = { path: Promise<string>; markedAt: number; checkedAt: number };

/** Other processes with the same cache keep a module for this long after it was last marked as used. */
const LEASE_MS = 10 * 60_000;
/** A module that was marked longer ago is marked again before use. */
const MARK_EVERY_MS = 60_000;
/** A module that was checked longer ago is checked again before use: it may be gone, or somebody may have changed it. */
const CHECK_EVERY_MS = 1_000;

export function createModuleStore(client: ApiClient, options: ModuleStoreOptions, logger: Logger): ModuleStore {
  const known = new Map<string, Known>();
  const check = createModuleCheck();
  let isPruning = false;
  const timer = setInterval(() => void renewMarks(), LEASE_MS / 3);
  timer.unref();

  async function fetchModule(hash: string, token: string): Promise<string> {
    const deadline = Date.now() + options.retryWindowMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const { code, externals } = await client.getModule(hash, token);
        const path = await materializeModule({ hash, code, externals }, options.cacheFolder, [...options.resolveFrom]);
        void prune();
        return path;
      } catch (error) {
        const away = isTransient(error) && !("facts" in toError(error) && !(error instanceof ApiRefusal));
        if (!away || Date.now() > deadline) throw error;
        const waitMs = Math.min(5_000, 100 * 2 ** Math.min(attempt, 10));
        client.outage.failed("fetch the task's code", error, waitMs);
        await sleep(waitMs);
      }
    }
  }

  /** The rest is removed at the next fetch. */
  async function prune(): Promise<void> {
    if (isPruning) return;
    isPruning = true;
    await pruneModules(options.cacheFolder, {
      maxBytes: options.maxBytes,
      unusedForMs: LEASE_MS,
      now: Date.now(),
      isInUse: (hash) => {
        if (options.isInUse(hash)) return true;
        // It is being removed: from now on it is fetched again.
        known.delete(hash);
        return false;
      },
    }).catch((error: unknown) =>
      // Tasks still run, until the disk is full.
      logger.warn(
        { folder: options.cacheFolder, error: toError(error).message },
        "old modules could not be removed from the cache",
      ),
    );
    isPruning = false;
  }

  async function renewMarks(): Promise<void> {
    for (const [hash, { path }] of known) {
      if (options.isInUse(hash)) await path.then(markAsUsed).catch(() => {});
    }
  }

  function fetchAndKnow(hash: string, token: string): Promise<string> {
    const path = fetchModule(hash, token);
    const one = { path, markedAt: Date.now(), checkedAt: Date.now() };
    // A failure is not cached: the next try may fetch again.
    path.catch(() => known.get(hash) === one && known.delete(hash));
    known.set(hash, one);
    return path;
  }

  return {
    pathOf(hash, token) {
      const one = known.get(hash);
      if (!one) return fetchAndKnow(hash, token);
      const now = Date.now();
      if (now - one.checkedAt < CHECK_EVERY_MS) return one.path;
      one.checkedAt = now;
      const isMarkDue = now - one.markedAt >= MARK_EVERY_MS;
      if (isMarkDue) one.markedAt = now;
      one.path = one.path
        .then(async (path) => {
          if (isMarkDue) await markAsUsed(path);
          await check(path);
          return path;
        })
        .catch(() => fetchAndKnow(hash, token));
      return one.path;
    },
    close: () => clearInterval(timer),
  };
}

async function markAsUsed(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}
