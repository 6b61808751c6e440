import { hostname } from "node:os";
import type { Outcome, Workload } from "../../contracts/index.ts";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { createLogWriter, createMasker, createThreadedFolderSink } from "../../task-logs/index.ts";
import type { FromRunner } from "../wire/index.ts";
import { ApiRefusal, askAgain, createApiClient } from "./api-client.ts";
import { askToStart } from "./ask-to-start.ts";
import { type Attempt, forwardCall, idOf, maskOutcome, note, platformFailure } from "./attempt.ts";
import { createBatcher } from "./batcher.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createModuleStore } from "./module-store.ts";
import type { SupervisorOptions } from "./options.ts";
import { createRunnerPool } from "./runner-pool.ts";
import type { Runner } from "./runner-process.ts";
import { createWorkQueue } from "./work-queue.ts";

export type SupervisorEvents = {
  /** The workload is off our hands: reported, or refused by the API. */
  done(id: string): void;
  /** Nobody ran it; it may be queued again. */
  notStarted(id: string, reason: string): void;
};

export type Supervisor = {
  accept(workloads: readonly Workload[]): void;
  revoke(id: string): void;
  /** Lets what runs end within the grace, stops the rest, and resolves when all of it is reported. */
  drain(graceMs: number): Promise<void>;
};

/**
 * Tries that are started ahead of their runners, at most. A scheduler hands over no more than there may be runners, so none
 * of them waits longer than a process takes to boot.
 */
const START_AHEAD = 16;
/** How long callbacks may run, a task's own and those the platform owes; below the time after which one counts as lost. */
const CALLBACK_LIMIT_MS = 300_000;

/** Runs workloads in warm runner processes and speaks for them to the execution API. Holds their tokens; no user code runs here. */
export function createSupervisor(options: SupervisorOptions, events: SupervisorEvents, logger: Logger): Supervisor {
  const client = createApiClient(options.apiUrl);
  const retryWindowMs = options.retryWindowSec * 1_000;
  const batcher = createBatcher(client, logger, { retryWindowMs, maxInFlight: 2 });
  const logs = createThreadedFolderSink(options.logFolder, options.logThreadEntry);
  const modules = createModuleStore(client, {
    cacheFolder: options.cacheFolder,
    resolveFrom: options.resolveFrom,
    retryWindowMs: 60_000,
  });
  const queue = createWorkQueue(modules, logger, { ready: () => pump(), failed: (id, reason) => events.notStarted(id, reason) });
  const attempts = new Map<string, Attempt>();
  const byRunner = new Map<Runner, Attempt>();
  /** Started and without a runner, in their order. */
  const waiting: Attempt[] = [];
  let draining = false;
  let pumpTimer: NodeJS.Timeout | null = null;

  const pool = createRunnerPool(
    {
      maxRunners: options.concurrency,
      entry: options.runnerEntry,
      environment: options.environment,
      maxLineBytes: options.maxLineBytes,
      recycleAfterTries: options.recycleAfterTries,
      recycleRssBytes: options.recycleMemoryMb * 1024 * 1024,
      idleTimeoutMs: options.idleRunnerSec * 1_000,
      freshProcessPerTry: options.freshProcessPerTry,
    },
    () => pump(),
    (runner) => ({
      ready() {},
      message: (message) => onMessage(runner(), message),
      output: (line, stream) => onOutput(runner(), line, stream),
      ended: (how) => onRunnerEnded(runner(), how),
    }),
  );
  const heartbeat = startHeartbeat({
    client,
    logger,
    sec: options.heartbeatSec,
    maxFailed: options.maxFailedHeartbeats,
    running: () =>
      [...attempts.values()].filter(
        ({ state, workload }) => (state === "running" || state === "waiting") && workload.type === "ExecuteTask",
      ),
    onLost(attempt) {
      attempt.isLost = true;
      note(attempt, "warn", "the try is no longer this worker's (cleared, marked, timed out or taken for dead); it is stopped");
      stop(attempt, "TryLostError", "the try was taken away");
    },
    onUnreachable(attempt, failed) {
      note(
        attempt,
        "error",
        `no heartbeat could be delivered ${failed} times in a row; the task is stopped, since another worker may have it by now`,
      );
      stop(attempt, "ApiUnreachableError", "the worker could not reach the API for too long");
    },
  });

  function pump(): void {
    if (pumpTimer) clearTimeout(pumpTimer);
    pumpTimer = null;
    giveRunners();
    while (!draining && countAhead() < START_AHEAD) {
      const next = queue.next();
      if (!next) break;
      void start(next.workload, next.modulePath);
    }
    // Whether another runner is worth its boot depends on how long those at work take: look again.
    if (waiting.length + queue.size() > 0 && !draining) pumpTimer = setTimeout(pump, 100);
  }

  const countAhead = () => [...attempts.values()].reduce((sum, { runner }) => (runner ? sum : sum + 1), 0);

  /** First come, first served, but where one try of a module finds no runner, one of another may have its own warm. */
  function giveRunners(): void {
    const passedOver = new Set<string>();
    for (const attempt of [...waiting]) {
      const { moduleHash } = attempt.workload;
      if (passedOver.has(moduleHash)) continue;
      const runner = pool.take(moduleHash, waiting.length + queue.size());
      if (!runner) {
        passedOver.add(moduleHash);
        continue;
      }
      waiting.splice(waiting.indexOf(attempt), 1);
      attempt.runner = runner;
      byRunner.set(runner, attempt);
      giveOrder(attempt, runner);
    }
  }

  async function start(workload: Workload, modulePath: string): Promise<void> {
    const masker = createMasker();
    const log = createLogWriter({
      sink: logs,
      path: workload.logPath,
      maxLineBytes: options.maxLineBytes,
      maxFileBytes: options.maxFileBytes,
      masker,
      onFault: (error) => logger.error({ path: workload.logPath, error: error.message }, "a task's log cannot be written"),
    });
    const attempt: Attempt = {
      workload,
      id: idOf(workload),
      modulePath,
      runner: null,
      order: null,
      masker,
      log,
      state: "starting",
      token: workload.token,
      startedAt: Date.now(),
      isLost: false,
      stopReason: null,
      timers: [],
    };
    attempts.set(attempt.id, attempt);
    try {
      attempt.order = await askToStart(attempt, { batcher, client, retryWindowMs });
      attempt.state = "waiting";
      waiting.push(attempt);
      if (attempt.isLost || draining) dropWaiting(attempt);
    } catch (error) {
      attempt.state = "over";
      attempts.delete(attempt.id);
      if (error instanceof ApiRefusal) {
        logger.debug({ id: attempt.id, error: error.message }, "a workload was not ours to start");
        events.done(attempt.id);
      } else events.notStarted(attempt.id, toError(error).message);
    }
    pump();
  }

  function giveOrder(attempt: Attempt, runner: Runner): void {
    const { order } = attempt;
    attempt.state = "running";
    attempt.startedAt = Date.now();
    if (!order) return;
    runner.send(order);
    if (order.type === "callback") {
      limitCallbacks(attempt);
      return;
    }
    const { context, ti } = order;
    note(attempt, "debug", `try ${ti.tryNumber} of ${context.maxTries + 1} starts on ${hostname()}, process ${runner.pid}`);
    if (context.executionTimeoutSec === null) return;
    // The runner keeps the time-out itself; this is for a task that holds its event loop and cannot.
    const limitMs = (context.executionTimeoutSec + options.killGraceSec) * 1_000;
    attempt.timers.push(
      setTimeout(
        () =>
          stop(
            attempt,
            "TaskTimeoutError",
            `the task ran longer than its executionTimeout of ${context.executionTimeoutSec} s and did not stop when asked`,
            0,
          ),
        limitMs,
      ),
    );
  }

  /** Nothing of it has run: it is given back for a new start, unless it was taken away already. */
  function dropWaiting(attempt: Attempt): void {
    waiting.splice(waiting.indexOf(attempt), 1);
    if (attempt.workload.type === "ExecuteCallback") {
      attempts.delete(attempt.id);
      events.notStarted(attempt.id, "the worker is shutting down");
      return;
    }
    if (!attempt.isLost)
      note(attempt, "info", "the worker stops before the task had a process; the try goes back to be scheduled");
    attempt.state = "running";
    // Long past, so that it is due at once by whatever clock: this machine's may be ahead.
    void report(attempt, { state: "up_for_reschedule", rescheduleDate: new Date(0).toISOString() });
  }

  function onMessage(runner: Runner, message: Exclude<FromRunner, { type: "ready" }>): void {
    const attempt = byRunner.get(runner);
    switch (message.type) {
      case "log":
        attempt?.log.write({
          timestamp: new Date().toISOString(),
          level: message.level,
          event: message.message,
          logger: "task",
          ...message.facts,
        });
        return;
      case "call":
        if (!attempt) return;
        forwardCall(client, attempt, message.method, message.params).then(
          (result) => runner.send({ type: "answer", call: message.call, ok: true, result }),
          (error: Error) =>
            runner.send({
              type: "answer",
              call: message.call,
              ok: false,
              code: error instanceof ApiRefusal ? error.code : "api_unreachable",
              message: error.message,
            }),
        );
        return;
      case "outcome":
        if (attempt?.state === "running" && attempt.workload.type === "ExecuteTask") void report(attempt, message.outcome);
        return;
      case "idle":
        runner.rssBytes = message.rssBytes;
        if (!attempt) {
          pool.release(runner);
          return;
        }
        // What it wrote is in its pipes, and a pipe is read whole in one turn of the event loop: the next turn but one is
        // past the end of its output.
        setImmediate(() => setImmediate(() => letGo(attempt)));
        return;
    }
  }

  function limitCallbacks(attempt: Attempt): void {
    const timer = setTimeout(() => {
      const { runner } = attempt;
      if (!runner || byRunner.get(runner) !== attempt) return;
      note(attempt, "error", `the callbacks ran longer than ${CALLBACK_LIMIT_MS / 1_000} s; their process is ended`);
      runner.kill();
    }, CALLBACK_LIMIT_MS);
    timer.unref();
    attempt.timers.push(timer);
  }

  /** The try's runner is done with it and all its output is in. */
  function letGo(attempt: Attempt): void {
    const { runner } = attempt;
    if (!runner || byRunner.get(runner) !== attempt) return;
    runner.endOutput();
    byRunner.delete(runner);
    for (const timer of attempt.timers) clearTimeout(timer);
    if (attempt.workload.type === "ExecuteCallback") void reportCallback(attempt, "success");
    else void attempt.log.flush();
    pool.release(runner);
  }

  function onOutput(runner: Runner, line: string, stream: "stdout" | "stderr"): void {
    const attempt = byRunner.get(runner);
    if (!attempt) {
      logger.debug({ line }, "output of a runner without a task");
      return;
    }
    attempt.log.write({
      timestamp: new Date().toISOString(),
      level: stream === "stderr" ? "error" : "info",
      event: line,
      logger: `task.${stream}`,
    });
  }

  function onRunnerEnded(runner: Runner, how: string): void {
    const attempt = byRunner.get(runner);
    byRunner.delete(runner);
    if (!attempt) return;
    if (attempt.workload.type === "ExecuteCallback") return void reportCallback(attempt, "failed");
    if (attempt.state === "running") void report(attempt, platformFailure("RunnerDiedError", `the task's process ${how}`), true);
    else void attempt.log.flush();
  }

  /** `isGone`: the runner's process is, and with it the task's callbacks: the platform owes them. */
  async function report(attempt: Attempt, outcome: Outcome, isGone = false): Promise<void> {
    if (attempt.state !== "running") return;
    attempt.state = "reporting";
    for (const timer of attempt.timers) clearTimeout(timer);
    limitCallbacks(attempt);
    if (attempt.isLost) {
      note(attempt, "warn", "the try was taken away from this worker; what it did is not recorded");
    } else {
      const decided = attempt.stopReason ? platformFailure(attempt.stopReason.name, attempt.stopReason.message) : outcome;
      const masked = maskOutcome(decided, attempt.masker);
      const shown = isGone && masked.state === "failed" ? { ...masked, owesCallback: true } : masked;
      const seconds = ((Date.now() - attempt.startedAt) / 1_000).toFixed(3);
      if (shown.state === "failed" && decided !== outcome) note(attempt, "error", shown.error.message);
      else if (shown.state === "failed" && /^(RunnerDied)/.test(shown.error.name)) note(attempt, "error", shown.error.message);
      note(attempt, "info", `the try ended: ${shown.state} after ${seconds} s`);
      // On its way to the disk while the end is on its way to the API: who sees the end next finds the log.
      void attempt.log.flush();
      try {
        await batcher.finish({ id: attempt.id, token: attempt.token, outcome: shown });
      } catch (error) {
        note(attempt, "error", `the end of the try was not taken: ${toError(error).message}`);
        logger.warn({ id: attempt.id, error: toError(error).message }, "the end of a try was not taken");
      }
    }
    attempt.state = "over";
    await attempt.log.flush();
    attempts.delete(attempt.id);
    events.done(attempt.id);
  }

  async function reportCallback(attempt: Attempt, state: "success" | "failed"): Promise<void> {
    if (attempt.state === "over") return;
    attempt.state = "over";
    await askAgain(
      () => client.post(`baram/callbacks/${attempt.id}/end`, { state }, attempt.workload.token),
      retryWindowMs,
    ).catch((error: Error) => logger.warn({ error: error.message }, "the end of a callback could not be reported"));
    await attempt.log.flush();
    attempts.delete(attempt.id);
    events.done(attempt.id);
  }

  /** Asks the task to stop, and makes it stop when the grace is over. */
  function stop(attempt: Attempt, name: string, message: string, graceMs = options.killGraceSec * 1_000): void {
    if (attempt.state === "waiting") {
      dropWaiting(attempt);
      return;
    }
    const { runner } = attempt;
    if (attempt.state !== "running" || !runner) return;
    attempt.stopReason ??= { name, message };
    runner.send({ type: "cancel", reason: message, isLost: attempt.isLost });
    runner.terminate();
    attempt.timers.push(
      setTimeout(() => {
        if (byRunner.get(runner) === attempt && attempt.state !== "over") runner.kill();
      }, graceMs),
    );
  }

  return {
    accept(workloads) {
      for (const workload of workloads) {
        // Delivered twice: the first one counts.
        if (attempts.has(idOf(workload)) || queue.has(idOf(workload))) continue;
        if (draining) events.notStarted(idOf(workload), "the worker is shutting down");
        else queue.add(workload);
      }
    },
    revoke(id) {
      queue.remove(id);
      const attempt = attempts.get(id);
      if (attempt) {
        attempt.isLost = true;
        stop(attempt, "RevokedError", "the try was revoked");
      }
    },
    async drain(graceMs) {
      draining = true;
      for (const workload of queue.clear()) events.notStarted(idOf(workload), "the worker is shutting down");
      pool.close();
      for (const attempt of [...waiting]) dropWaiting(attempt);
      const deadline = Date.now() + graceMs;
      const isBusy = () => attempts.size > 0 || byRunner.size > 0;
      while (isBusy() && Date.now() < deadline) await sleep(20);
      for (const attempt of attempts.values()) stop(attempt, "WorkerShutdownError", "the worker was shut down");
      const hardDeadline = Date.now() + options.killGraceSec * 1_000 + 5_000;
      while (isBusy() && Date.now() < hardDeadline) await sleep(20);
      heartbeat.stop();
      if (pumpTimer) clearTimeout(pumpTimer);
      for (const runner of pool.all()) runner.kill();
      client.close();
      await logs.close();
    },
  };
}
