/**
 * A triggerer: runs the triggers of deferred tasks, many in one process. A trigger here is
 * - waiting for its module: claimed, not started yet;
 * - running: a built-in one in this process, one of a DAG file in a child process, until it ends, or until it is cancelled because
 *   its row is deleted or belongs to another triggerer;
 * - ended: its end is being written to the database; until then it counts as this triggerer's;
 * - leaving: being released, so that any triggerer may claim it.
 *
 * Any number of triggerers share the rows. Only the database knows which trigger belongs to which triggerer; each compares that
 * with what it runs from time to time. One that is silent too long is declared dead, and its triggers start again elsewhere; if it
 * is still alive, it drops them. An event that is sent twice has no effect the second time, since no task waits any more.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { BUILTIN_TRIGGER_PREFIX, isBuiltinTrigger, jsonTextFault, type TriggerEnd } from "../contracts/index.ts";
import { isDatabaseAway, openProcessBoxes, sleep, startTimer, toError } from "../platform/index.ts";
import { answerCall } from "./answer-call.ts";
import { runBuiltin } from "./builtin/index.ts";
import type { ClaimedTrigger, EndedTrigger, TriggererOptions, TriggererResources, TriggerLog } from "./contract.ts";
import { createEndBatcher } from "./end-batcher.ts";
import { createChildPool } from "./host/child-pool.ts";
import { createLoopWatch } from "./loop-watch.ts";

export type Triggerer = {
  readonly jobId: () => number;
  /** The job id, its start, and its last heartbeat; in milliseconds since 1970. */
  life(): { jobId: number; sinceMs: number; heartbeatMs: number };
  /** How many triggers it runs. */
  running(): number;
  /** Processes of triggers of DAG files. */
  childPids(): number[];
  /** Releases its triggers, so that others take over at once, and stops. */
  stop(): Promise<void>;
};

type Entry = { readonly trigger: ClaimedTrigger; readonly log: TriggerLog; readonly stop: AbortController; hasEnded: boolean };

/** An event is stored with the task; larger payloads are data and belong elsewhere. */
const PAYLOAD_MAX_BYTES = 1024 * 1024;
/** Deleted rows are notified one by one; the comparison handles them together. */
const SYNC_DEBOUNCE_MS = 200;
const STOP_MAX_MS = 10_000;

export async function startTriggerer(resources: TriggererResources, options: TriggererOptions): Promise<Triggerer> {
  const { store, logger, metrics, clock } = resources;
  const job = "triggererjob";
  let jobId = await store.startJob();
  let sinceMs = clock.now();
  let heartbeatMs = sinceMs;
  metrics.count("job_start", { job });
  const running = new Map<number, Entry>();
  const leaving = new Set<number>();
  const stopping = new AbortController();
  let wakeUp: (() => void) | null = null;
  let isAwake = true;
  let mustSync = false;
  let syncTimer: NodeJS.Timeout | null = null;

  const batcher = createEndBatcher(
    async (ends) => {
      await resources.pause("before-fire");
      return store.fire(ends);
    },
    {
      stored(ends, fired) {
        for (const { id, end } of ends) {
          if (fired.has(id)) metrics.count(end.kind === "failed" ? "triggers.failed" : "triggers.succeeded", {});
          finish(id, fired.has(id) ? sentenceOf(end) : "the trigger ended, but nobody waited for it any more");
        }
        // There is capacity again.
        wake();
      },
      refused({ id }, error) {
        logger.error({ trigger: id, error: error.message }, "the end of a trigger cannot be stored");
        const message = `its event could not be stored: ${error.message}`;
        const entry = running.get(id);
        if (!entry || entry.stop.signal.aborted) return finish(id, message);
        // If this is refused, too, only the deferral's timeout is left.
        entry.stop.abort();
        batcher.add({ id, tryId: entry.trigger.tryId, end: { kind: "failed", message } });
      },
    },
    { isTransient: isDatabaseAway, retryMs: 500, logger },
  );

  const boxes = openProcessBoxes(randomUUID());
  const children = createChildPool(
    {
      boxes,
      accounts: options.accounts ?? null,
      entry: options.childEntry,
      environment: options.environment,
      blockedTimeoutSec: options.blockedTimeoutSec,
      maxProcesses: options.maxProcesses,
    },
    {
      end: (id, end) => onEnd(id, end),
      log: (id, record) => running.get(id)?.log.writeUser(record),
      call: (id, method, params) => answerCall(store, running.get(id)?.log, method, params as never),
      blocked(blockedMs, ids) {
        metrics.count("triggers.blocked_main_thread", {});
        logger.warn({ blockedMs, triggers: ids }, "a trigger process was blocked");
        const note = `the event loop of this trigger's process was blocked for ${blockedMs} ms: a trigger in it does not await`;
        for (const id of ids) running.get(id)?.log.write("warn", note);
      },
      parted(how, ids) {
        logger.warn(
          { how, triggers: ids },
          "a process with several triggers died; they are restarted separately to find the one that caused it",
        );
        const note = `the process of this trigger and ${ids.length - 1} more died: ${how}. It goes on in another process, apart from some of them`;
        for (const id of ids) running.get(id)?.log.write("warn", note);
      },
      died: (how, ids) => onDeath(how, ids),
    },
  );
  /** Only while there are triggers that could be delayed. */
  const watch = createLoopWatch((blockedMs) => {
    metrics.count("triggers.blocked_main_thread", {});
    logger.warn({ blockedMs, triggers: running.size }, "the triggerer was blocked");
  });
  const listener = store.listen((payload) => (payload === "gone" ? syncSoon() : wake(payload === null)));
  const beats = keepBeating();
  const loop = run();

  function wake(withSync = false): void {
    mustSync ||= withSync;
    isAwake = true;
    wakeUp?.();
  }

  function syncSoon(): void {
    syncTimer ??= setTimeout(() => {
      syncTimer = null;
      wake(true);
    }, SYNC_DEBOUNCE_MS);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      isAwake = false;
      try {
        if (mustSync) await sync();
        const taken = await claim();
        if (taken >= options.selectPerLoop || isAwake) continue;
        await waitForWake(options.idleSleepSec * 1_000);
      } catch (error) {
        if (stopping.signal.aborted) return;
        mustSync = true;
        if (!isDatabaseAway(error)) logger.error({ error: toError(error).message }, "a triggerer's pass failed; trying again");
        await sleep(500, stopping.signal);
      }
    }
  }

  async function waitForWake(ms: number): Promise<void> {
    if (isAwake) return;
    await new Promise<void>((resolve) => {
      const timer = startTimer(ms, resolve);
      wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
    wakeUp = null;
  }

  async function claim(): Promise<number> {
    const room = options.capacity - running.size - leaving.size;
    if (room <= 0) return 0;
    const limit = Math.min(room, options.selectPerLoop);
    const claimed = await store.claim({ jobId, capacity: options.capacity, limit, fairnessSec: options.fairnessSec });
    await resources.pause("after-claim");
    for (const trigger of claimed) start(trigger);
    return claimed.length;
  }

  /**
   * Drops triggers that belong to another triggerer now, and releases those that belong to this one but are not running here: the
   * answer to their claim was lost.
   */
  async function sync(): Promise<void> {
    mustSync = false;
    const before = [...running.keys()];
    const own = await store.findOwn(jobId, [...before, ...leaving]);
    const ours = new Set(own.ids);
    for (const id of before) if (!ours.has(id) && running.get(id)?.hasEnded === false) cancel(id);
    if (own.missing.length > 0) await store.release(jobId, own.missing, 0);
  }

  function keepBeating(): Promise<void> {
    return (async () => {
      while (!stopping.signal.aborted) {
        try {
          if (!(await store.beatJob(jobId))) await startAnew();
          heartbeatMs = clock.now();
          metrics.count("triggerer_heartbeat", {});
          measure();
          const freed = await store.freeTriggersOfTheDead(options.healthThresholdSec);
          if (freed > 0) logger.warn({ triggers: freed }, "freed the triggers of dead triggerers");
          wake(true);
        } catch (error) {
          metrics.count("job_heartbeat_failure", { job });
          if (!stopping.signal.aborted && !isDatabaseAway(error))
            logger.error({ error: toError(error).message }, "a triggerer's heartbeat failed; trying again");
        }
        await sleep(options.heartbeatSec * 1_000, stopping.signal);
      }
    })();
  }

  /** Others may run these triggers by now: they must be cancelled before this triggerer claims any under a new job. */
  async function startAnew(): Promise<void> {
    if (stopping.signal.aborted) return;
    const formerJobId = jobId;
    const triggers = running.size;
    for (const [id, entry] of running) if (!entry.hasEnded) cancel(id);
    jobId = await store.startJob();
    logger.warn({ formerJobId, jobId, triggers }, `declared dead by another triggerer; re-registered as job ${jobId}`);
    sinceMs = clock.now();
    metrics.count("job_start", { job });
  }

  function measure(): void {
    const labels = { hostname: hostname() };
    metrics.gauge("triggers.running", [{ labels, value: running.size }]);
    metrics.gauge("triggerer.capacity_left", [{ labels, value: Math.max(0, options.capacity - running.size) }]);
  }

  function start(trigger: ClaimedTrigger): void {
    const entry: Entry = { trigger, log: resources.openLog(trigger.logPath), stop: new AbortController(), hasEnded: false };
    running.set(trigger.id, entry);
    watch.start();
    entry.log.masker.addNamed("kwargs", trigger.kwargs);
    entry.log.write("info", `trigger ${trigger.classpath} (${trigger.id}) waits in triggerer ${jobId}`);
    const work = trigger.moduleHash === null ? runHere(entry) : runInChild(entry, trigger.moduleHash);
    work.catch((error: unknown) => {
      if (entry.stop.signal.aborted) return;
      if (isDatabaseAway(error)) return void giveBack([trigger.id], 0);
      onEnd(trigger.id, { kind: "failed", message: `${toError(error).name}: ${toError(error).message}` });
    });
  }

  async function runHere({ trigger, log, stop }: Entry): Promise<void> {
    const end = await runBuiltin(trigger.classpath, trigger.kwargs, {
      signal: stop.signal,
      now: resources.clock.now,
      call: (method, params) => answerCall(store, log, method, params),
      log: (level, message) => log.write(level, message),
    });
    onEnd(trigger.id, end);
  }

  async function runInChild({ trigger, stop }: Entry, moduleHash: string): Promise<void> {
    if (isBuiltinTrigger(trigger.classpath))
      throw new Error(`a DAG file may register no trigger named ${BUILTIN_TRIGGER_PREFIX}…`);
    const path = await store.modulePath(moduleHash);
    if (!stop.signal.aborted) children.start(trigger, path);
  }

  function onEnd(id: number, end: TriggerEnd): void {
    const entry = running.get(id);
    // Cancelled or already reported: the first end counts.
    if (!entry || entry.hasEnded || entry.stop.signal.aborted) return;
    entry.hasEnded = true;
    batcher.add({ id, tryId: entry.trigger.tryId, end: limitEnd(end, entry.log) });
  }

  function onDeath(how: string, ids: readonly number[]): void {
    if (ids.length === 0 || stopping.signal.aborted) return;
    logger.warn({ how, triggers: ids }, "a trigger process died");
    const again: number[] = [];
    for (const id of ids) {
      const entry = running.get(id);
      if (!entry || entry.hasEnded) continue;
      const deaths = entry.trigger.deaths + 1;
      entry.log.write(
        "warn",
        `the process of trigger ${entry.trigger.classpath} died (${deaths} of ${options.maxDeaths}): ${how}`,
      );
      if (deaths >= options.maxDeaths)
        onEnd(id, { kind: "failed", message: `its process died ${deaths} times; the last time, ${how}` });
      else again.push(id);
    }
    if (again.length > 0) void giveBack(again, 1);
  }

  async function giveBack(ids: readonly number[], deaths: 0 | 1): Promise<void> {
    const owner = jobId;
    for (const id of ids) {
      leaving.add(id);
      finish(id, null);
    }
    // If this fails, the next comparison finds them claimed but not running, and releases them.
    await store
      .release(owner, ids, deaths)
      .catch((error: unknown) => logger.error({ error: toError(error).message }, "triggers could not be released"));
    for (const id of ids) leaving.delete(id);
  }

  function cancel(id: number): void {
    const entry = running.get(id);
    if (!entry) return;
    entry.stop.abort(new Error("this trigger was cancelled"));
    if (entry.trigger.moduleHash !== null) children.cancel(id);
    finish(id, "the trigger is cancelled: its task does not wait here any more");
  }

  function finish(id: number, sentence: string | null): void {
    const entry = running.get(id);
    if (!entry) return;
    running.delete(id);
    if (running.size === 0) watch.stop();
    if (sentence !== null) entry.log.write("info", `trigger ${entry.trigger.classpath} (${id}): ${sentence}`);
    void entry.log.flush();
  }

  return {
    jobId: () => jobId,
    life: () => ({ jobId, sinceMs, heartbeatMs }),
    running: () => running.size,
    childPids: () => children.pids(),
    async stop() {
      stopping.abort();
      if (syncTimer) clearTimeout(syncTimer);
      wake();
      await Promise.all([loop, beats, listener.close()]);
      watch.stop();
      await Promise.race([batcher.flush(), sleep(STOP_MAX_MS)]);
      const logs = [...running.values()].map((entry) => entry.log);
      for (const [id, entry] of running) if (!entry.hasEnded) cancel(id);
      await store
        .release(jobId, null, 0)
        .catch((error: unknown) => logger.warn({ error: toError(error).message }, "triggers could not be released"));
      children.stop();
      await store.endJob(jobId).catch(() => {});
      metrics.count("job_end", { job });
      await Promise.race([Promise.all(logs.map((log) => log.flush())), sleep(STOP_MAX_MS)]);
      boxes?.close();
    },
  };
}

function sentenceOf(end: EndedTrigger["end"]): string {
  switch (end.kind) {
    case "event":
      return "fired; the task goes on";
    case "failed":
      return `failed: ${end.message}`;
    case "task":
      return `ended the task as ${end.state}: ${end.reason}`;
  }
}

function limitEnd(end: TriggerEnd, log: TriggerLog): TriggerEnd {
  const shown = (text: string) => log.masker.mask(text).replaceAll("\0", "").slice(0, 2_000);
  if (end.kind === "failed") return { kind: "failed", message: shown(end.message) };
  const json = JSON.stringify(end);
  const sizeBytes = Buffer.byteLength(json);
  // An event's payload is stored encrypted; XComs that a trigger leaves for other tasks are not, since the database reads them.
  const fault = end.kind === "task" ? jsonTextFault(JSON.stringify(end.xcoms)) : null;
  if (fault !== null) return { kind: "failed", message: `its XComs hold ${fault}: remove it, or encode the text` };
  if (sizeBytes <= PAYLOAD_MAX_BYTES) return end.kind === "task" ? { ...end, reason: shown(end.reason) } : end;
  return { kind: "failed", message: `its event has ${sizeBytes} bytes, more than ${PAYLOAD_MAX_BYTES}: pass a reference` };
}
