/**
 * A scheduler: one loop that sleeps until something may be decided. It is woken by a notification from the database (a
 * task ended, a run was created), by an executor, or by the earliest time something is due; whatever wakes it, a pass looks
 * at the database and trusts only what it finds there, so a lost notification costs a second and never a task.
 *
 * Any number of schedulers share the work by row locks. One that was silent for longer than the threshold is taken for
 * dead by the others; should it live on, it finds its job row ended and starts anew under a fresh job.
 */
import { hostname } from "node:os";
import { sleep, toError } from "../platform/index.ts";
import { beatJob, endJob, nextDueInSec, startJob, startQueuedRuns } from "../store/index.ts";
import { createScheduledRuns } from "./create-scheduled-runs.ts";
import { dispatch } from "./dispatch.ts";
import { dispatchCallbacks } from "./dispatch-callbacks.ts";
import { evaluateRuns } from "./evaluate-runs.ts";
import { adoptOrphans, failSilentTries, requeueStuckTries, takeExecutorEvents } from "./recover.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

export type Scheduler = {
  /** Resolves when the loop has ended; the executors are ended by the caller. */
  stop(): Promise<void>;
  wake(): void;
  readonly jobId: () => number;
};

/** While another scheduler dispatches, look again after this long. */
const BUSY_RETRY_MS = 5;

export async function startScheduler(
  resources: SchedulerResources,
  settings: Omit<SchedulerOptions, "jobId">,
): Promise<Scheduler> {
  const { store, logger } = resources;
  const startOwnJob = () => startJob(store, { type: "SchedulerJob", hostname: hostname(), pid: process.pid });
  let jobId = await startOwnJob();
  const options: SchedulerOptions = { ...settings, jobId: () => jobId };
  const stopping = new AbortController();
  let awake = true;
  let wakeUp: (() => void) | null = null;
  const wake = () => {
    awake = true;
    wakeUp?.();
  };
  const listener = store.listen("baram_scheduler", wake);
  const timers = [
    every(options.heartbeatSec, async () => {
      if (await beatJob(store, jobId)) return;
      logger.warn({ jobId }, "this scheduler was taken for dead; it goes on under a new job");
      jobId = await startOwnJob();
    }),
    every(options.orphanCheckSec, () => adoptOrphans(resources, options)),
    every(options.silentTryCheckSec, () => failSilentTries(resources, options)),
    every(options.queuedTimeoutCheckSec, () => requeueStuckTries(resources, options)),
  ];
  const loop = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      awake = false;
      try {
        const { more, busy } = await pass(resources, options);
        if (more || awake) continue;
        const dueMs = busy ? BUSY_RETRY_MS : ((await nextDueInSec(store)) ?? Number.POSITIVE_INFINITY) * 1_000;
        await waitForWake(Math.max(1, Math.min(dueMs, options.idleSleepSec * 1_000)));
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.error({ error: toError(error).message, stack: toError(error).stack }, "a scheduling pass failed; trying again");
        await sleep(500, stopping.signal);
      }
    }
  }

  async function waitForWake(ms: number): Promise<void> {
    if (awake) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    wakeUp = null;
  }

  /** Runs `work` now and every `sec`; never twice at once, and a failure only waits for the next time. */
  function every(sec: number, work: () => Promise<unknown>): Promise<void> {
    return (async () => {
      while (!stopping.signal.aborted) {
        try {
          await work();
        } catch (error) {
          if (!stopping.signal.aborted) logger.error({ error: toError(error).message }, "a periodic check failed; trying again");
        }
        await sleep(sec * 1_000, stopping.signal);
      }
    })();
  }

  return {
    wake,
    jobId: () => jobId,
    async stop() {
      stopping.abort();
      wake();
      await Promise.all([loop, ...timers, listener.close()]);
      await endJob(store, jobId).catch(() => {});
    },
  };
}

/** One pass over everything. `more` = there may be more to do at once. */
export async function pass(resources: SchedulerResources, options: SchedulerOptions): Promise<{ more: boolean; busy: boolean }> {
  await takeExecutorEvents(resources);
  const created = options.createScheduledRuns ? await createScheduledRuns(resources, options) : 0;
  const started = await resources.store.transaction((tx) => startQueuedRuns(tx, options.maxRunsToEvaluate));
  const evaluated = await evaluateRuns(resources, options);
  await dispatchCallbacks(resources, options);
  const { queued, busy } = await dispatch(resources, options);
  return { more: created > 0 || started > 0 || evaluated.claimed > 0 || queued > 0, busy };
}
