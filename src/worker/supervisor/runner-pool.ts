import { availableParallelism } from "node:os";
import type { Account, ProcessBoxes } from "../../platform/index.ts";
import { type Runner, type RunnerEvents, startRunner } from "./runner-process.ts";

export type RunnerPoolOptions = {
  maxRunners: number;
  entry: string;
  environment: Readonly<Record<string, string>>;
  maxLineBytes: number;
  sensitiveNames: readonly string[];
  boxes: ProcessBoxes | null;
  recycleAfterTries: number;
  recycleRssBytes: number;
  idleTimeoutMs: number;
  /** true = every try gets a process of its own. */
  freshProcessPerTry: boolean;
};

export type RunnerPool = {
  /**
   * A runner of the account for a try of this module: one that has loaded it, or has no module yet; null = wait for `onFree`.
   */
  take(moduleHash: string, account: Account | null, waiting: number): Runner | null;
  /** The try is over; the runner is kept warm or replaced. */
  release(runner: Runner): void;
  /** Ends the runner if it is idle, since it must not get another try. */
  discard(runner: Runner): void;
  all(): readonly Runner[];
  /** Ends idle runners now and lets no new one start. */
  close(): void;
};

/** The minimum boot time; the mean of observed boots is used if it is longer, as on a busy machine. */
const BOOT_MS_MIN = 150;
/** Tries shorter than this keep a core busy: more runners would only share it. */
const SHORT_TRY_MS = 10;
/** Read once, since it costs a system call. */
const CORES = availableParallelism();

export function createRunnerPool(
  options: RunnerPoolOptions,
  onFree: () => void,
  eventsFor: (runner: () => Runner) => RunnerEvents,
): RunnerPool {
  const runners = new Set<Runner>();
  const busySince = new Map<Runner, number>();
  let meanBusyMs = 0;
  let meanBootMs = BOOT_MS_MIN;
  /** Since when tries have been waiting continuously. */
  let backlogSince: number | null = null;
  let closed = false;

  const start = (account: Account | null): void => {
    let self: Runner | null = null;
    const get = (): Runner => {
      if (!self) throw new Error("runner used before it was started");
      return self;
    };
    const events = eventsFor(get);
    const bootedAt = Date.now();
    self = startRunner({
      ...options,
      account,
      isAlone: (runner) =>
        ![...runners].some((one) => one !== runner && one.state === "busy" && one.account?.uid === account?.uid),
      on: {
        ...events,
        ready() {
          get().idleSince = Date.now();
          meanBootMs = Math.max(BOOT_MS_MIN, meanBootMs * 0.5 + (Date.now() - bootedAt) * 0.5);
          onFree();
        },
        ended(how) {
          runners.delete(get());
          busySince.delete(get());
          events.ended(how);
          onFree();
        },
      },
    });
    runners.add(self);
  };

  /** Boots another runner unless the busy ones would serve the waiting tries sooner. */
  function grow(account: Account | null, waiting: number): void {
    const booting = [...runners].filter((runner) => runner.state === "booting").length;
    if (closed || runners.size >= options.maxRunners || booting >= Math.min(waiting, CORES)) return;
    const busy = [...runners].filter((runner) => runner.state === "busy");
    if (busy.length > 0) {
      const now = Date.now();
      // A runner's first try includes loading the module, so it does not show how long tasks take.
      const loadingMs = (runner: Runner) => (runner.triesServed === 0 ? meanBootMs : 0);
      const oldest = Math.max(...busy.map((runner) => now - (busySince.get(runner) ?? now) - loadingMs(runner)));
      const expectedMs = (Math.max(1, waiting - booting) / busy.length) * Math.max(meanBusyMs, oldest);
      // If the expected wait is shorter than a boot, another runner would be too late for these tries. But if some have already
      // waited as long as a boot takes, others will.
      const isLasting = now - (backlogSince ?? now) >= meanBootMs && meanBusyMs >= SHORT_TRY_MS;
      if (expectedMs < meanBootMs && !isLasting) return;
      backlogSince = now;
    }
    start(account);
  }

  const timer = setInterval(() => {
    // Ends the oldest idle runners; one stays warm.
    const idle = [...runners].filter((runner) => runner.state === "idle").sort((a, b) => a.idleSince - b.idleSince);
    for (const runner of idle) {
      if (runners.size <= 1 || Date.now() - runner.idleSince < options.idleTimeoutMs) return;
      retire(runner);
    }
  }, 1_000);
  timer.unref();

  function retire(runner: Runner): void {
    runners.delete(runner);
    runner.state = "ended";
    runner.kill();
  }

  return {
    all: () => [...runners],
    take(moduleHash, account, waiting) {
      const idle = [...runners].filter((runner) => runner.state === "idle");
      const fitting = idle.filter((runner) => runner.account?.uid === account?.uid);
      const runner = fitting.find((one) => one.moduleHash === moduleHash) ?? fitting.find((one) => one.moduleHash === null);
      if (!runner && idle[0] && runners.size >= options.maxRunners) {
        // All warm runners have other modules or another account: the one that has been idle longest is replaced.
        retire(idle.reduce((a, b) => (a.idleSince <= b.idleSince ? a : b)));
      }
      if (!runner) {
        backlogSince ??= Date.now();
        grow(account, waiting);
        return null;
      }
      if (waiting <= 1) backlogSince = null;
      runner.state = "busy";
      runner.moduleHash = moduleHash;
      busySince.set(runner, Date.now());
      return runner;
    },
    release(runner) {
      const busyMs = Math.max(
        1,
        Date.now() - (busySince.get(runner) ?? Date.now()) - (runner.triesServed === 0 ? meanBootMs : 0),
      );
      meanBusyMs = meanBusyMs === 0 ? busyMs : meanBusyMs * 0.8 + busyMs * 0.2;
      busySince.delete(runner);
      if (runner.state !== "busy") return;
      runner.triesServed++;
      if (
        closed ||
        runner.spent !== null ||
        options.freshProcessPerTry ||
        runner.triesServed >= options.recycleAfterTries ||
        runner.rssBytes > options.recycleRssBytes
      ) {
        retire(runner);
      } else {
        runner.sweep();
        runner.state = "idle";
        runner.idleSince = Date.now();
      }
      onFree();
    },
    discard(runner) {
      if (runner.state !== "idle") return;
      retire(runner);
      onFree();
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const runner of runners) if (runner.state !== "busy") retire(runner);
    },
  };
}
