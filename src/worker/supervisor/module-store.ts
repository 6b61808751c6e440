import { utimes } from "node:fs/promises";
import { type Logger, materializeModule, pruneModules, sleep, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";

/** The worker's cache of modules, by hash. A hash names its content, so what is there once is good for ever. */
export type ModuleStore = {
  /** Path of the module's file; fetches it with the token if it is not here yet. */
  pathOf(hash: string, token: string): Promise<string>;
  close(): void;
};

export type ModuleStoreOptions = {
  cacheFolder: string;
  resolveFrom: readonly string[];
  retryWindowMs: number;
  /** What the cache may hold beside what is in use. */
  maxBytes: number;
  /** Whether a try, or a process that is kept warm, has the module. */
  isInUse(hash: string): boolean;
};

type Known = { path: Promise<string>; markedAt: number };

/** Others with the same cache leave a module alone for so long after it was last marked as used. */
const LEASE_MS = 10 * 60_000;
/** One that was marked as used longer ago is marked before it is used again, which also tells that it is still there. */
const MARK_EVERY_MS = 60_000;

export function createModuleStore(client: ApiClient, options: ModuleStoreOptions, logger: Logger): ModuleStore {
  const known = new Map<string, Known>();
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
        await sleep(Math.min(5_000, 100 * 2 ** Math.min(attempt, 10)));
      }
    }
  }

  /** What is left over goes with the next fetch. */
  async function prune(): Promise<void> {
    if (isPruning) return;
    isPruning = true;
    await pruneModules(options.cacheFolder, {
      maxBytes: options.maxBytes,
      unusedForMs: LEASE_MS,
      now: Date.now(),
      isInUse: (hash) => {
        if (options.isInUse(hash)) return true;
        // It is about to go: whoever asks from now on fetches it anew.
        known.delete(hash);
        return false;
      },
    }).catch((error: unknown) =>
      // Tasks run all the same, until the disk is full.
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
    const one = { path, markedAt: Date.now() };
    // A failure is not remembered: the next try may fetch again.
    path.catch(() => known.get(hash) === one && known.delete(hash));
    known.set(hash, one);
    return path;
  }

  return {
    pathOf(hash, token) {
      const one = known.get(hash);
      if (!one) return fetchAndKnow(hash, token);
      if (Date.now() - one.markedAt < MARK_EVERY_MS) return one.path;
      one.markedAt = Date.now();
      one.path = one.path.then((path) => markAsUsed(path).then(() => path)).catch(() => fetchAndKnow(hash, token));
      return one.path;
    },
    close: () => clearInterval(timer),
  };
}

async function markAsUsed(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}
