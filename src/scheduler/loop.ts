/**
 * A scheduler: one loop that sleeps until something may be decided. It is woken by a notification from the database (a
 * task ended, a run was created), by an executor, or by the earliest time something is due; whatever wakes it, a pass looks
 * at the database and trusts only what it finds there, so a lost notification costs a second and never a task.
 *
 * Any number of schedulers share the work by row locks. One that was silent for longer than the threshold is taken for
 * dead by the others; should it live on, it finds its job row ended and starts anew under a fresh job.
 */
import { setMaxListeners } from "node:events";
import { hostname } from "node:os";
import { isDatabaseAway, secondsSince, silentMetrics, sleep, startTimer, toError } from "../platform/index.ts";
import { beatScheduler, endJob, nextDueInSec, startJob } from "../store/index.ts";
import { checkBackfills } from "./check-backfills.ts";
import { createScheduledRuns } from "./create-scheduled-runs.ts";
import { noteAside } from "./culprits.ts";
import { decide } from "./decide.ts";
import { reviveLifelessRuns } from "./lazarus.ts";
import { forgetOldFields, measureInstances, measureRoom, measureRuns } from "./measure.ts";
import { createExecutorWatch } from "./reassign-tasks.ts";
import { adoptOrphans, createSilenceWatch, requeueStuckTries, takeExecutorEvents, timeOutLateWaits } from "./recover.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";
import { trySetAsideAgain } from "./try-again.ts";
import { createPoolWatch } from "./watch-pools.ts";

export type Scheduler = {
  /** Resolves when the loop has ended; the executors are ended by the caller. */
  stop(): Promise<void>;
  /** An executor has events or room again: a light pass follows. */
  wake(): void;
  readonly jobId: () => number;
  /** What a health answer says. */
  readonly life: () => SchedulerLife;
  /** Resolves when the loop has made as many passes as `maxPasses` says; never, if it says none. */
  readonly finished: Promise<void>;
};

export type SchedulerLife = {
  jobId: number;
  /** When it started, and when its heartbeat was last written, in ms since the epoch. */
  sinceMs: number;
  heartbeatMs: number;
  /** Since when no pass has come to its end, in ms since the epoch, and why; null while they do. */
  failing: { sinceMs: number; reason: string } | null;
  /** How many runs, schedules and the like are set aside; see `culprits.ts`. */
  setAside: number;
};

const FORGET_FIELDS_SEC = 60;
/**
 * While another scheduler dispatches, look again after this long, and twice as long each time until the lock is free: it is held for a few
 * milliseconds, or somebody stands still with it.
 */
const BUSY_RETRY_MS = 5;
const BUSY_RETRY_MAX_MS = 250;

/**
 * After a pass, wait this long for a reason to look before asking what is due next: while tasks end one after the other the question
 * would run beside the start of each, and its answer would be thrown away. So what comes due may be this much late.
 */
const SETTLE_MS = 20;

/** As in Airflow: how often what a crash left of a backfill is put right. */
const BACKFILL_CHECK_SEC = 30;

export async function startScheduler(
  resources: SchedulerResources,
  settings: Omit<SchedulerOptions, "jobId">,
): Promise<Scheduler> {
  const { store, logger, metrics, clock } = resources;
  const job = "schedulerjob";
  let sinceMs = clock.now();
  let heartbeatMs = sinceMs;
  const startOwnJob = async () => {
    const id = await startJob(store, { type: "SchedulerJob", hostname: hostname(), pid: process.pid });
    sinceMs = heartbeatMs = clock.now();
    metrics.count("job_start", { job });
    return id;
  };
  let jobId = await startOwnJob();
  // When the first pass began since which none came to its end; null = the last one did.
  let unendedSinceMs: number | null = null;
  let lastFailure: string | null = null;
  const failing = () => {
    if (unendedSinceMs === null) return null;
    if (lastFailure !== null) return { sinceMs: unendedSinceMs, reason: lastFailure };
    const isHanging = clock.now() - unendedSinceMs >= settings.healthThresholdSec * 1_000;
    return isHanging ? { sinceMs: unendedSinceMs, reason: "a scheduling pass does not come to its end" } : null;
  };
  let passes = 0;
  let onFinished = () => {};
  const finished = new Promise<void>((resolve) => {
    onFinished = resolve;
  });
  const options: SchedulerOptions = { ...settings, jobId: () => jobId };
  const stopping = new AbortController();
  // Each periodic check sleeps on it.
  setMaxListeners(50, stopping.signal);
  let awake = true;
  let isFull = true;
  let fullAt = 0;
  let wakeUp: (() => void) | null = null;
  let busyRetryMs = BUSY_RETRY_MS;
  const wake = (full: boolean) => {
    awake = true;
    isFull ||= full;
    wakeUp?.();
  };
  // null: the connection was made anew, and whatever was notified meanwhile is lost.
  const listener = store.listen("baram_scheduler", (payload) => wake(payload !== "event" && payload !== "scheduled"));
  const silence = createSilenceWatch(resources, options);
  const executorWatch = createExecutorWatch(resources);
  const poolWatch = createPoolWatch(resources);
  const timers = [
    every(options.heartbeatSec, async () => {
      const trouble = failing();
      const told = trouble && { forSec: (clock.now() - trouble.sinceMs) / 1_000, reason: trouble.reason };
      const facts = await beatScheduler(store, jobId, told).catch((error: unknown) => {
        metrics.count("job_heartbeat_failure", { job });
        throw error;
      });
      if (facts) {
        noteAside(resources, facts);
        heartbeatMs = clock.now();
        metrics.count("scheduler_heartbeat", {});
        return;
      }
      const formerJobId = jobId;
      jobId = await startOwnJob();
      logger.warn({ formerJobId, jobId }, `declared dead by another scheduler; re-registered as job ${jobId}`);
    }),
    every(options.orphanCheckSec, () => adoptOrphans(resources, options)),
    every(options.orphanCheckSec, () => executorWatch.check()),
    every(options.orphanCheckSec, () => poolWatch.check()),
    every(options.silentTryCheckSec, () => silence.check()),
    every(BACKFILL_CHECK_SEC, () => checkBackfills(resources, options, stopping.signal)),
    every(options.queuedTimeoutCheckSec, () => requeueStuckTries(resources, options)),
    ...(options.lazarusSec > 0 ? [every(options.lazarusSec, () => reviveLifelessRuns(resources, options))] : []),
    every(FORGET_FIELDS_SEC, () => forgetOldFields(resources, options)),
    every(options.triggerTimeoutCheckSec, () => timeOutLateWaits(resources, options)),
  ];
  // Where nobody listens, nothing is asked.
  if (metrics !== silentMetrics)
    timers.push(
      every(options.poolMetricsSec, () => measureRoom(resources, options)),
      every(options.instanceMetricsSec, () => measureInstances(resources, options)),
      every(options.runMetricsSec, () => measureRuns(resources, options)),
    );
  const loop = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Ends that follow each other without a pause ask for light passes only; dates come due meanwhile.
      const full = isFull || performance.now() - fullAt >= options.idleSleepSec * 1_000;
      if (full) fullAt = performance.now();
      awake = false;
      isFull = false;
      try {
        const began = performance.now();
        unendedSinceMs ??= clock.now();
        const { more, again, busy } = await pass(resources, options, full);
        unendedSinceMs = lastFailure = null;
        metrics.time("scheduler.scheduler_loop_duration", {}, secondsSince(began));
        if (!options.countIdlePassesOnly || !more) passes++;
        if (options.maxPasses > 0 && passes >= options.maxPasses) return onFinished();
        isFull ||= again === "full";
        if (!busy) busyRetryMs = BUSY_RETRY_MS;
        if (again || awake) continue;
        if (busy) {
          // Only dispatch is to be made up for: a light pass does.
          await waitForWake(busyRetryMs);
          busyRetryMs = Math.min(busyRetryMs * 2, BUSY_RETRY_MAX_MS);
          continue;
        }
        if (await waitForWake(SETTLE_MS)) continue;
        const dueMs = ((await nextDueInSec(store)) ?? Number.POSITIVE_INFINITY) * 1_000;
        const trialMs = resources.aside.tryAtMs - clock.now();
        if (await waitForWake(Math.max(1, Math.min(dueMs, trialMs, options.idleSleepSec * 1_000)))) continue;
        isFull = true;
      } catch (error) {
        isFull = true;
        if (stopping.signal.aborted) return;
        lastFailure = toError(error).message;
        metrics.count("scheduler.pass_failures", {});
        if (!isDatabaseAway(error))
          logger.error({ error: toError(error).message, stack: toError(error).stack }, "a scheduling pass failed; trying again");
        await sleep(500, stopping.signal);
      }
    }
  }

  /** Resolves with whether something woke us before the time was over. */
  async function waitForWake(ms: number): Promise<boolean> {
    if (awake) return true;
    return new Promise<boolean>((resolve) => {
      const end = (woken: boolean) => {
        timer.cancel();
        wakeUp = null;
        resolve(woken);
      };
      const timer = startTimer(ms, () => end(false));
      wakeUp = () => end(true);
    });
  }

  /** Runs `work` now and every `sec`; never twice at once, and a failure only waits for the next time. */
  function every(sec: number, work: () => Promise<unknown>): Promise<void> {
    return (async () => {
      while (!stopping.signal.aborted) {
        try {
          await work();
        } catch (error) {
          if (!stopping.signal.aborted && !isDatabaseAway(error))
            logger.error({ error: toError(error).message }, "a periodic check failed; trying again");
        }
        await sleep(sec * 1_000, stopping.signal);
      }
    })();
  }

  return {
    wake: () => wake(false),
    jobId: () => jobId,
    life: () => ({ jobId, sinceMs, heartbeatMs, failing: failing(), setAside: resources.aside.count }),
    finished,
    async stop() {
      stopping.abort();
      wake(true);
      await Promise.all([loop, ...timers, listener.close()]);
      await endJob(store, jobId).catch(() => {});
      metrics.count("job_end", { job });
    },
  };
}

export type PassReport = {
  /** Something was written. */
  more: boolean;
  /** Look again at once: at everything, if further dates may be due or runs ended and made room; else a limit cut this pass short. */
  again: "full" | "light" | null;
  /** Another scheduler was dispatching. */
  busy: boolean;
};

/**
 * One pass. A full one looks at everything; one that an ended try asked for leaves out what a try's end cannot concern
 * (schedules, queued runs, callbacks), which is half of the statements.
 */
export async function pass(resources: SchedulerResources, options: SchedulerOptions, isFull = true): Promise<PassReport> {
  await takeExecutorEvents(resources, options);
  const isTrialDue = isFull && resources.clock.now() >= resources.aside.tryAtMs;
  const back = isTrialDue ? await trySetAsideAgain(resources, options) : 0;
  const decided = await decide(resources, options, isFull);
  // Last, since a run that was triggered need not wait for it; what it creates comes with the next pass.
  const created = isFull && options.createScheduledRuns ? await createScheduledRuns(resources, options) : 0;
  return {
    more: back > 0 || created > 0 || decided.started > 0 || decided.claimed > 0 || decided.queued > 0,
    again: back > 0 || created > 0 ? "full" : decided.again,
    busy: decided.busy,
  };
}
