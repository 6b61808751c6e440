import { hostname as hostnameOfMachine } from "node:os";
import { type Outcome, type Probe, type RunnerWorkload, type Workload, workloadId } from "../../contracts/index.ts";
import { type Logger, OPEN_CALLS_REFUSED, openProcessBoxes, sleep, startTimer, toError } from "../../platform/index.ts";
import { createLogWriter, createThreadedFolderSink, userLine } from "../../task-logs/index.ts";
import type { ReceivedFromRunner } from "../wire/index.ts";
import { isOwnRefusal } from "./api-answer.ts";
import { ApiRefusal, askAgain, createApiClient } from "./api-client.ts";
import { askToStart } from "./ask-to-start.ts";
import {
  type Attempt,
  accountOfAttempt,
  forwardCall,
  isLogAnew,
  learnFromOrder,
  maskerOf,
  maskOutcome,
  newAttempt,
  note,
  noteOutage,
  platformFailure,
} from "./attempt.ts";
import { createBatcher } from "./batcher.ts";
import { askWhyLost, startHeartbeat } from "./heartbeat.ts";
import { createModuleStore } from "./module-store.ts";
import type { SupervisorOptions } from "./options.ts";
import { createOutageTeller } from "./outage-teller.ts";
import { predecessorOf } from "./predecessor.ts";
import { runProbe } from "./run-probe.ts";
import { createRunnerPool } from "./runner-pool.ts";
import type { Runner } from "./runner-process.ts";
import { createShipping } from "./shipping.ts";
import { killStopped, outcomeOfStop, startGrace, tookText } from "./stopping.ts";
import { createWorkQueue } from "./work-queue.ts";
import { refusalOf, type WorkloadEnd } from "./workload-end.ts";

export type SupervisorEvents = {
  /** The supervisor is done with the workload. */
  done(id: string, end: WorkloadEnd): void;
  /** It was not run; it may be queued again. */
  notStarted(id: string, reason: string): void;
};

export type Supervisor = {
  accept(workloads: readonly Workload[]): void;
  revoke(id: string): void;
  /**
   * Lets running tries end within `graceMs`, stops the rest for the `reason`, and resolves when all are reported and their logs
   * shipped, or when the time is over. May be called again with less time.
   */
  drain(graceMs: number, reason?: string): Promise<void>;
};

/**
 * The most tries that are started before they have a runner. A scheduler hands over no more than there may be runners, so none
 * waits longer than a process takes to boot. With 16 a fan-out takes 1.05 times as long; more than the default parallelism is no
 * faster.
 */
const START_AHEAD = 32;
/** Time limit of callbacks, a task's own and owed ones; below the time after which one counts as lost. */
const CALLBACK_LIMIT_MS = 300_000;
/** The minimum time for shipping logs at a shutdown, however little is left. */
const MIN_SHIP_MS = 1_000;

/**
 * Runs workloads in warm runner processes, and makes their calls to the execution API. Holds their tokens; no user code runs here.
 */
export function createSupervisor(options: SupervisorOptions, events: SupervisorEvents, logger: Logger): Supervisor {
  const outage = createOutageTeller({ url: options.apiUrl, everyMs: options.tellOutageEverySec * 1_000, logger });
  const client = createApiClient(options.apiUrl, { workerToken: options.workerToken, outage });
  const hostname = options.hostname ?? hostnameOfMachine();
  const retryWindowMs = options.retryWindowSec * 1_000;
  const graceSec = options.killGraceSec;
  const shipping = createShipping(options, client, logger);
  const batcher = createBatcher(client, { retryWindowMs, maxInFlight: 2 });
  const logs = createThreadedFolderSink(options.logFolder, options.logThreadEntry);
  const modules = createModuleStore(
    client,
    {
      cacheFolder: options.cacheFolder,
      resolveFrom: options.resolveFrom,
      retryWindowMs: options.moduleWindowSec * 1_000,
      maxBytes: options.cacheMaxBytes,
      isInUse: (hash) =>
        queue.needs(hash) ||
        [...attempts.values()].some(({ workload }) => workload.moduleHash === hash) ||
        pool.all().some((runner) => runner.moduleHash === hash),
    },
    logger,
  );
  const queue = createWorkQueue(modules, {
    ready: () => pump(),
    failed(id, error) {
      const reason = outage.explain(error);
      logger.warn({ id, url: options.apiUrl, error: reason }, "a workload's module could not be fetched");
      events.notStarted(id, reason);
    },
  });
  const attempts = new Map<string, Attempt>();
  const byRunner = new Map<Runner, Attempt>();
  /** Started tries without a runner, in order. */
  const waiting: Attempt[] = [];
  /** Workloads that the supervisor is done with, except for the last lines of their logs. */
  let closing = 0;
  let draining = false;
  let pumpTimer: NodeJS.Timeout | null = null;

  const boxes = openProcessBoxes(options.boxesName ?? String(process.pid));
  const pool = createRunnerPool(
    {
      boxes,
      maxRunners: options.concurrency,
      entry: options.runnerEntry,
      environment: options.environment,
      maxLineBytes: options.maxLineBytes,
      sensitiveNames: options.sensitiveNames,
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
    outageSec: options.apiOutageSec,
    running: () =>
      [...attempts.values()].filter(
        ({ state, workload }) => (state === "running" || state === "waiting") && workload.type === "ExecuteTask",
      ),
    onLost: (attempt, why) => lose(attempt, why),
    onOutage: noteOutage,
    onUnreachable(attempt, forSec) {
      if (attempt.stopping !== null) return;
      const text = `no heartbeat was delivered for ${Math.round(forSec)} s; the task is stopped, since another worker may have it by now`;
      note(attempt, "error", text);
      stop(attempt, "ApiUnreachableError", "the worker could not reach the API for too long");
    },
  });

  function pump(): void {
    if (pumpTimer) clearTimeout(pumpTimer);
    pumpTimer = null;
    giveRunners();
    while (!draining && countAhead() < START_AHEAD) {
      const next = queue.next((workload) => predecessorOf(workload, attempts) !== null);
      if (!next) break;
      void start(next.workload, next.modulePath);
    }
    // Whether another runner is worth booting depends on how long the busy ones take: check again.
    if (waiting.length + queue.size() > 0 && !draining) pumpTimer = setTimeout(pump, 100);
  }

  /** The scheduler hands out a successor only after the try before it has ended or was reassigned: no need to wait for a heartbeat to say so. */
  function giveUpPredecessor(workload: RunnerWorkload): void {
    const attempt = predecessorOf(workload, attempts);
    if (attempt && isAtWork(attempt) && !attempt.isLost) void askWhyLost(client, attempt).then((why) => lose(attempt, why));
  }

  const isAtWork = ({ state }: Attempt) => state === "running" || state === "waiting";

  function lose(attempt: Attempt, why: string | null): void {
    if (!isAtWork(attempt)) return;
    const reason = why ?? "cleared, marked, timed out or declared lost";
    if (!attempt.isLost) note(attempt, "warn", `the try is no longer assigned to this worker: ${reason}; its process is stopped`);
    attempt.isLost = true;
    stop(attempt, "TryLostError", `the try is no longer assigned to this worker${why === null ? "" : `: ${why}`}`);
  }

  const countAhead = () => [...attempts.values()].reduce((sum, { runner }) => (runner ? sum : sum + 1), 0);

  /** First come, first served; but if a try finds no runner for its module, a try of another module may have a warm one. */
  function giveRunners(): void {
    const passedOver = new Set<string>();
    for (const attempt of [...waiting]) {
      const { moduleHash } = attempt.workload;
      const account = options.accounts && accountOfAttempt(attempt, options.accounts);
      const kind = account === null ? moduleHash : `${moduleHash} ${account.uid}`;
      if (passedOver.has(kind)) continue;
      const runner = pool.take(moduleHash, account, waiting.length + queue.size());
      if (!runner) {
        passedOver.add(kind);
        continue;
      }
      waiting.splice(waiting.indexOf(attempt), 1);
      attempt.runner = runner;
      byRunner.set(runner, attempt);
      giveOrder(attempt, runner);
    }
  }

  async function start(workload: RunnerWorkload, modulePath: string): Promise<void> {
    const log = createLogWriter({
      sink: logs,
      path: workload.logPath,
      maxLineBytes: options.maxLineBytes,
      maxFileBytes: options.maxFileBytes,
      masker: () => maskerOf(attempt),
      isAnew: () => isLogAnew(attempt),
      onFault: (error) => logger.error({ path: workload.logPath, error: error.message }, "a task's log cannot be written"),
    });
    const attempt = newAttempt(workload, modulePath, log);
    attempts.set(attempt.id, attempt);
    try {
      attempt.order = await askToStart(attempt, { batcher, client, hostname, retryWindowMs });
      attempt.state = "waiting";
      attempt.shipper = shipping.begin(attempt);
      waiting.push(attempt);
      if (attempt.isLost || draining) dropWaiting(attempt);
    } catch (error) {
      attempt.state = "over";
      attempts.delete(attempt.id);
      // What is not Baram's answer says nothing about the try.
      if (isOwnRefusal(error)) {
        logger.debug({ id: attempt.id, error: error.message }, "a workload was refused its start");
        events.done(attempt.id, refusalOf(error));
      } else events.notStarted(attempt.id, outage.explain(error));
    }
    pump();
  }

  function giveOrder(attempt: Attempt, runner: Runner): void {
    const { order } = attempt;
    attempt.state = "running";
    attempt.startedAt = Date.now();
    if (!order) return;
    learnFromOrder(runner.masker, order);
    runner.send(order, (error) => refuseOrder(attempt, error));
    if (order.type === "callback") {
      limitCallbacks(attempt);
      return;
    }
    const { context, ti } = order;
    note(attempt, "debug", `try ${ti.tryNumber} of ${context.maxTries + 1} starts on ${hostname}, process ${runner.pid}`);
    if (context.executionTimeoutSec === null) return;
    // The runner enforces the limit itself; this timer is for a task that blocks the event loop.
    const limitSec = context.executionTimeoutSec;
    attempt.timers.push(startTimer((limitSec + graceSec) * 1_000, () => endOverdue(attempt, limitSec)));
  }

  function endOverdue(attempt: Attempt, limitSec: number): void {
    if (attempt.stopping !== null) return;
    const message = `the task took longer than its executionTimeout of ${limitSec} s`;
    startGrace(attempt, { limitSec, outcome: platformFailure("TaskTimeoutError", message), isDecided: true }, graceSec);
    killStopped(attempt, graceSec);
  }

  /** A drain does not wait for it: whoever checks an executor checks again. */
  function answerProbe(probe: Probe): void {
    runProbe(probe, { client, shipping, logs, hostname, options }).then(
      (end) => events.done(probe.probeId, end),
      (error: unknown) => events.notStarted(probe.probeId, outage.explain(error)),
    );
  }

  /** Its message is larger than the wire allows: the runner received nothing and is free. A retry would fail in the same way. */
  async function refuseOrder(attempt: Attempt, error: Error): Promise<void> {
    const message = `what the task is given (elements it is mapped over, conf, event) cannot be handed to its process: ${error.message}`;
    note(attempt, "error", message);
    const failure = { name: "InputTooLargeError", message, stack: null };
    const outcome: Outcome = { state: "failed", retryable: false, error: failure, xcoms: [] };
    const told = attempt.workload.type === "ExecuteTask" ? report(attempt, outcome, true) : reportCallback(attempt, "failed");
    letGo(attempt);
    await told;
  }

  /** Nothing of it has run: it is returned to be queued again, unless it is no longer assigned to this worker. */
  function dropWaiting(attempt: Attempt): void {
    waiting.splice(waiting.indexOf(attempt), 1);
    if (attempt.workload.type === "ExecuteCallback") {
      attempts.delete(attempt.id);
      attempt.state = "over";
      void closeLog(attempt);
      events.notStarted(attempt.id, "the worker is shutting down");
      return;
    }
    if (!attempt.isLost) note(attempt, "info", "the worker shuts down before the task got a process; the try is rescheduled");
    attempt.state = "running";
    // Long past, so that it is due at once whatever this machine's clock says.
    void report(attempt, { state: "up_for_reschedule", rescheduleDate: new Date(0).toISOString() });
  }

  function onMessage(runner: Runner, message: Exclude<ReceivedFromRunner, { type: "ready" }>): void {
    const attempt = byRunner.get(runner);
    switch (message.type) {
      case "log":
        attempt?.log.write(userLine("task", message));
        return;
      case "call":
        if (!attempt) return;
        answerCall(attempt, runner, message);
        return;
      case "stopping":
        if (attempt?.state !== "running") return;
        // As for a stop by the supervisor, processes that the task started in its group are signalled, too.
        if (attempt.stopping === null) runner.terminate();
        startGrace(attempt, { outcome: message.outcome, limitSec: message.limitSec, isDecided: false }, graceSec);
        return;
      case "outcome":
        // The task has ended: nothing that it started may still write when its end is reported.
        runner.sweep(message.spawnedSince);
        // If the process is being killed, the end is reported when it is gone.
        if (attempt?.state !== "running" || attempt.stopping?.isKilled) return;
        if (attempt.workload.type !== "ExecuteTask") return;
        if (message.endsProcess) hold(attempt, message.outcome);
        else void report(attempt, message.outcome);
        return;
      case "idle":
        runner.rssBytes = message.rssBytes;
        runner.sweep(message.spawnedSince);
        runner.spent ??= message.spent;
        // Its end is reported when the process is gone.
        if (attempt?.held) {
          runner.kill();
          return;
        }
        if (!attempt) {
          pool.release(runner);
          return;
        }
        if (attempt.workload.type === "ExecuteTask" && attempt.state === "running") {
          // Only user code that writes to the wire leaves this out. The try would beat for ever, in no process.
          runner.kill("said that it was free, and not how the task ended; it was replaced");
          return;
        }
        void runner.drainOutput().then(() => letGo(attempt));
        return;
      case "spent":
        if (runner.spent !== null) return;
        runner.spent = message.reason;
        logger.warn(
          { pid: runner.pid, reason: runner.masker.mask(message.reason) },
          "replacing a runner: something left by an earlier try failed in it",
        );
        if (!attempt) pool.discard(runner);
        return;
    }
  }

  /** What the task left is still running beside its callbacks: its end is reported when its process is gone. */
  function hold(attempt: Attempt, outcome: Outcome): void {
    attempt.held = outcome;
    // If it was asked to stop, its callbacks have the rest of the grace period.
    if (attempt.stopping === null) for (const timer of attempt.timers) timer.cancel();
    limitCallbacks(attempt);
  }

  function answerCall(
    attempt: Attempt,
    runner: Runner,
    { call, method, params }: Extract<ReceivedFromRunner, { type: "call" }>,
  ): void {
    if (attempt.openCalls >= OPEN_CALLS_REFUSED) {
      runner.kill(`was killed: it made more than ${OPEN_CALLS_REFUSED} calls without waiting for their answers`);
      return;
    }
    attempt.openCalls++;
    const refuse = (code: string, message: string) => runner.send({ type: "answer", call, ok: false, code, message });
    forwardCall(client, attempt, method, params, retryWindowMs)
      .then(
        (result) =>
          runner.send({ type: "answer", call, ok: true, result }, (error) => refuse(error.code, `${method}: ${error.message}`)),
        (error: Error) => refuse(error instanceof ApiRefusal ? error.code : "api_unreachable", error.message),
      )
      .finally(() => attempt.openCalls--);
  }

  function limitCallbacks(attempt: Attempt): void {
    const timer = startTimer(CALLBACK_LIMIT_MS, () => {
      const { runner } = attempt;
      if (!runner || byRunner.get(runner) !== attempt) return;
      note(attempt, "error", `the callbacks ran longer than ${CALLBACK_LIMIT_MS / 1_000} s; their process is ended`);
      runner.kill();
    });
    attempt.timers.push(timer.unref());
  }

  /** The runner is done with the try and all its output has arrived. */
  function letGo(attempt: Attempt): void {
    const { runner } = attempt;
    if (!runner || byRunner.get(runner) !== attempt) return;
    runner.endOutput();
    if (runner.spent !== null) noteSpent(attempt, runner, runner.spent);
    byRunner.delete(runner);
    for (const timer of attempt.timers) timer.cancel();
    if (attempt.workload.type === "ExecuteCallback") void reportCallback(attempt, "success");
    else void closeLog(attempt);
    pool.release(runner);
  }

  function onOutput(runner: Runner, line: string, stream: "stdout" | "stderr"): void {
    const attempt = byRunner.get(runner);
    if (!attempt) {
      logger.debug({ line: runner.masker.mask(line) }, "output of a runner without a task");
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
    const died = () => platformFailure("RunnerDiedError", `the task's process ${how}`);
    // A held outcome tells whether its callbacks ran.
    if (attempt.state === "running" && attempt.held) void report(attempt, attempt.held);
    else if (attempt.state === "running") void report(attempt, attempt.stopping?.outcome ?? died(), true);
    else {
      // The try's end has been told. What the task did to its process ended it before it could serve the next try.
      noteSpent(attempt, runner, runner.spent ?? `it ${how}`);
      void closeLog(attempt);
    }
  }

  function noteSpent(attempt: Attempt, runner: Runner, reason: string): void {
    note(attempt, "info", `process ${runner.pid} serves no further try: ${reason}`);
  }

  /** Flushes the log to the file, and ships its end once nothing can write to it any more. */
  async function closeLog(attempt: Attempt): Promise<void> {
    const { runner, state } = attempt;
    const isComplete = state === "over" && (runner === null || byRunner.get(runner) !== attempt);
    await (isComplete ? shipping.end(attempt) : attempt.log.flush());
  }

  /** `isGone`: the runner's process is gone and could not run the task's callbacks, so the platform owes them. */
  async function report(attempt: Attempt, outcome: Outcome, isGone = false): Promise<void> {
    if (attempt.state !== "running") return;
    attempt.state = "reporting";
    for (const timer of attempt.timers) timer.cancel();
    limitCallbacks(attempt);
    let end: WorkloadEnd = { how: "reported" };
    if (attempt.isLost) {
      end = { how: "refused", status: null, code: "try_not_running", message: "this try is no longer assigned to this worker" };
      note(attempt, "warn", "this try is no longer assigned to this worker; its result was discarded");
    } else {
      const decided = outcomeOfStop(attempt, outcome, graceSec);
      const masked = maskOutcome(decided, maskerOf(attempt));
      const shown = isGone && masked.state === "failed" ? { ...masked, owesCallback: true } : masked;
      if (shown.state === "failed" && decided !== outcome) note(attempt, "error", shown.error.message);
      else if (shown.state === "failed" && /^(RunnerDied)/.test(shown.error.name)) note(attempt, "error", shown.error.message);
      note(attempt, "info", `the try ended: ${shown.state} after ${tookText(attempt, graceSec)}`);
      await shipping.beforeEnd(attempt);
      try {
        const failed = await finish(attempt, shown);
        if (failed !== null) note(attempt, "error", `the try was failed instead: ${failed}`);
      } catch (error) {
        end = error instanceof ApiRefusal ? refusalOf(error) : { how: "unreported", message: toError(error).message };
        note(attempt, "error", `the end of the try could not be reported: ${toError(error).message}`);
        logger.warn({ id: attempt.id, error: toError(error).message }, "the end of a try could not be reported");
      }
    }
    attempt.state = "over";
    attempts.delete(attempt.id);
    // Called before the last lines are in the file: the slot is free, and a drain waits for them.
    events.done(attempt.id, end);
    closing++;
    await attempt.log.flush();
    closing--;
    void closeLog(attempt);
  }

  /**
   * If an end is too large for the API, or for a proxy in front of it, a failure with that reason is reported instead. Resolves as
   * with the reason if the API failed the try instead. The callbacks that still run get a token of their own.
   */
  async function finish(attempt: Attempt, outcome: Outcome): Promise<string | null> {
    const { id, token } = attempt;
    const tell = async (told: Outcome) => {
      const stored = await batcher.finish({ id, token, outcome: told });
      attempt.token = stored.token ?? attempt.token;
      return stored.failed;
    };
    try {
      return await tell(outcome);
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.status !== 413) throw error;
      const sizeBytes = Buffer.byteLength(JSON.stringify(outcome));
      const message = `how the task ended (its result, XComs, rendered fields, error) has ${sizeBytes} bytes, and the API did not take that: ${error.message}`;
      note(attempt, "error", message);
      const failure = { name: "OutcomeTooLargeError", message, stack: null };
      const failed: Outcome = { state: "failed", retryable: false, owesCallback: true, error: failure, xcoms: [] };
      return tell(failed);
    }
  }

  async function reportCallback(attempt: Attempt, state: "success" | "failed"): Promise<void> {
    if (attempt.state === "over") return;
    attempt.state = "over";
    let end: WorkloadEnd = { how: "reported" };
    await attempt.log.flush();
    const tell = () => client.post(`baram/callbacks/${attempt.id}/end`, { state }, attempt.token);
    await askAgain(tell, { windowMs: retryWindowMs, outage, what: "report the end of a callback" }).catch((error: Error) => {
      end = error instanceof ApiRefusal ? refusalOf(error) : { how: "unreported", message: error.message };
      logger.warn({ error: error.message }, "the end of a callback could not be reported");
    });
    attempts.delete(attempt.id);
    void closeLog(attempt);
    events.done(attempt.id, end);
  }

  /** Asks the task to stop, and kills it when the grace period is over. */
  function stop(attempt: Attempt, name: string, message: string): void {
    if (attempt.state === "waiting") {
      dropWaiting(attempt);
      return;
    }
    const { runner } = attempt;
    if (attempt.state !== "running" || !runner) return;
    runner.send({ type: "cancel", reason: message, isLost: attempt.isLost });
    runner.terminate();
    startGrace(attempt, { limitSec: null, outcome: platformFailure(name, message), isDecided: true }, graceSec);
  }

  return {
    accept(workloads) {
      for (const workload of workloads) {
        // Delivered twice: the first one counts.
        if (attempts.has(workloadId(workload)) || queue.has(workloadId(workload))) continue;
        if (draining) {
          events.notStarted(workloadId(workload), "the worker is shutting down");
          continue;
        }
        if (workload.type === "Probe") {
          answerProbe(workload);
          continue;
        }
        giveUpPredecessor(workload);
        queue.add(workload);
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
    async drain(graceMs, reason = "the worker was shut down") {
      draining = true;
      const fault = outage.fault();
      const why = fault === null ? "the worker is shutting down" : `${reason}, and it had not reached the API: ${fault}`;
      for (const workload of queue.clear()) events.notStarted(workloadId(workload), why);
      pool.close();
      for (const attempt of [...waiting]) dropWaiting(attempt);
      const deadline = Date.now() + graceMs;
      const isBusy = () => attempts.size > 0 || byRunner.size > 0 || closing > 0;
      while (isBusy() && Date.now() < deadline) await sleep(20);
      for (const attempt of attempts.values()) stop(attempt, "WorkerShutdownError", reason);
      const hardDeadline = deadline + graceSec * 1_000 + 5_000;
      while (isBusy() && Date.now() < hardDeadline) await sleep(20);
      await shipping.settle(Math.max(MIN_SHIP_MS, hardDeadline - Date.now()));
      heartbeat.stop();
      modules.close();
      if (pumpTimer) clearTimeout(pumpTimer);
      for (const runner of pool.all()) runner.kill();
      client.close();
      await logs.close();
      boxes?.close();
    },
  };
}
