/**
 * A scheduler: one loop that sleeps until something may be decided. It is woken by a notification from the database (a task ended,
 * a run was created), by an executor, or by the earliest time something is due; whatever wakes it, a pass reads the database and
 * relies only on what it finds there, so a lost notification costs a second and never a task.
 *
 * Any number of schedulers share the work by row locks. One that was silent for longer than the threshold is declared dead by the
 * others; if it is still alive, it finds its job row ended and registers a new job.
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
import { adoptOrphans, requeueStuckTries, takeExecutorEvents, timeOutLateWaits } from "./recover.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";
import { trySetAsideAgain } from "./try-again.ts";
import { createPoolWatch } from "./watch-pools.ts";
import { createSilenceWatch } from "./watch-silence.ts";

export type Scheduler = {
  /** Resolves when the loop has ended; the caller stops the executors. */
  stop(): Promise<void>;
  /** An executor has events or free slots again: a light pass follows. */
  wake(): void;
  readonly jobId: () => number;
  /** For health checks. */
  readonly life: () => SchedulerLife;
  /** Resolves when the loop has made as many passes as `maxPasses` says; never, if it says none. */
  readonly finished: Promise<void>;
};

export type SchedulerLife = {
  jobId: number;
  /** When it started, and when its heartbeat was last written, in ms since the epoch. */
  sinceMs: number;
  heartbeatMs: number;
  /** Since when passes have been failing, in ms since the epoch, and why; null if they are not. */
  failing: { sinceMs: number; reason: string } | null;
  /** How many runs, schedules and the like are set aside; see `culprits.ts`. */
  setAside: number;
};

const FORGET_FIELDS_SEC = 60;
/**
 * While another scheduler dispatches, retry after this time, doubled each time until the lock is free: it is held for a few
 * milliseconds, or by a process that has stopped.
 */
const BUSY_RETRY_MS = 5;
const BUSY_RETRY_MAX_MS = 250;

/**
 * After a pass, wait this long for a wake-up before querying what is due next: while tasks finish one after another, that query
 * would compete with the start of each, and its answer would be discarded. So due work may be this much late.
 */
const SETTLE_MS = 20;

/** As in Airflow: how often unfinished backfills are checked. */
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
  // When the first failing pass began; null = the last pass succeeded.
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
  // Every periodic check sleeps on this signal, so each needs a listener.
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
  // null: the connection was re-established, and notifications sent meanwhile are lost.
  const listener = store.listen("baram_scheduler", (payload) => wake(payload !== "event" && payload !== "scheduled"));
  const silence = createSilenceWatch(resources, options, () => wake(true));
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
  // Without a metrics sink nothing is queried.
  if (metrics !== silentMetrics)
    timers.push(
      every(options.poolMetricsSec, () => measureRoom(resources, options)),
      every(options.instanceMetricsSec, () => measureInstances(resources, options)),
      every(options.runMetricsSec, () => measureRuns(resources, options)),
    );
  const loop = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // A continuous stream of finished tries asks for light passes only, but dates come due meanwhile.
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
          // Only the dispatch must be repeated: a light pass is enough.
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

  /** Resolves with whether something woke the loop before the time was over. */
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

  /** Runs `work` now and every `sec`, never concurrently; after a failure it runs again at the next interval. */
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
  /**
   * Pass again at once: a full one if further dates may be due or ended runs made room; else a light one, since a limit was
   * reached.
   */
  again: "full" | "light" | null;
  /** Another scheduler was dispatching. */
  busy: boolean;
};

/**
 * One pass. A full pass does everything; a light one, caused by finished tries, leaves out what they cannot affect (schedules,
 * queued runs, callbacks), which is half of the statements.
 */
export async function pass(resources: SchedulerResources, options: SchedulerOptions, isFull = true): Promise<PassReport> {
  await takeExecutorEvents(resources, options);
  const isTrialDue = isFull && resources.clock.now() >= resources.aside.tryAtMs;
  const back = isTrialDue ? await trySetAsideAgain(resources, options) : 0;
  const decided = await decide(resources, options, isFull);
  // Last, so that a triggered run need not wait for it; the runs it creates are handled by the next pass.
  const created = isFull && options.createScheduledRuns ? await createScheduledRuns(resources, options) : 0;
  return {
    more: back > 0 || created > 0 || decided.started > 0 || decided.claimed > 0 || decided.queued > 0,
    again: back > 0 || created > 0 ? "full" : decided.again,
    busy: decided.busy,
  };
}
