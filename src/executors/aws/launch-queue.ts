/**
 * Workloads on their way to AWS, one request each, beside the scheduler's loop:
 * - waiting: until a request slot and a token are free, and its own delay is over;
 * - launching: its request is under way. Left for launched or refused, which are reported and removed here, or for waiting again.
 *   Throttling pauses all launches and does not count as an attempt of any workload. The same holds for expired credentials and an
 *   AWS that does not answer; while these last, the queue is unhealthy. Any other refusal counts as an attempt of its workload, up
 *   to `maxAttempts`.
 */
import { type Workload, workloadId } from "../../contracts/index.ts";
import { type Logger, startTimer, type Timer } from "../../platform/index.ts";
import { faultOf } from "./fault-of.ts";
import { tryRenew } from "./renewable-client.ts";
import { createTokenBucket } from "./token-bucket.ts";

export type Launch =
  | { kind: "launched"; externalExecutorId: string }
  /** AWS accepted the request but launched nothing, e.g. for lack of capacity: counts as an attempt. */
  | { kind: "not_now"; reason: string }
  /** It can never be launched. */
  | { kind: "refused"; reason: string };

export type LaunchQueueOptions = {
  /** Throws what the request throws. */
  launch(workload: Workload): Promise<Launch>;
  /** Credentials may have been renewed: clients made with the old ones are discarded. */
  renew(): Promise<void>;
  maxAttempts: number;
  perSec: number;
  /** Delay before the next attempt, after this many failed ones. */
  retryDelayMs(failed: number): number;
  on: {
    /** `isDropped`: `remove` was called for it in the meantime. */
    launched(workload: Workload, externalExecutorId: string, isDropped: boolean): void;
    refused(workload: Workload, reason: string): void;
    /** The queue became healthy or unhealthy. */
    health(isHealthy: boolean): void;
  };
  logger: Logger;
};

export type LaunchQueue = {
  add(workload: Workload): void;
  has(id: string): boolean;
  /** Waiting or launching. */
  size(): number;
  isHealthy(): boolean;
  /** Removes one; if its request is in flight, no other is sent for it. */
  remove(id: string): void;
  /** Sends no more, waits for requests in flight, and returns the workloads that were certainly not launched. */
  close(): Promise<Workload[]>;
};

type Waiting = { workload: Workload; failed: number; dueMs: number; isAmbiguous: boolean };

/** Requests in flight at once: a launch takes AWS 200 ms to 1 s. */
const IN_FLIGHT_MAX = 16;

export function createLaunchQueue(options: LaunchQueueOptions): LaunchQueue {
  const { on, logger } = options;
  const bucket = createTokenBucket({ perSec: options.perSec, burst: Math.max(1, Math.ceil(options.perSec)) });
  const waiting = new Map<string, Waiting>();
  const launching = new Map<string, Promise<void>>();
  /** Launching workloads that were removed. */
  const dropped = new Set<string>();
  let timer: Timer | undefined;
  let isClosed = false;
  let isHealthy = true;
  let outages = 0;
  let awayUntilMs = 0;

  function pump(): void {
    timer?.cancel();
    if (isClosed) return;
    const now = Date.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, one] of waiting) {
      // While AWS is away, one request at a time probes it.
      if (launching.size >= (isHealthy ? IN_FLIGHT_MAX : 1)) return;
      const dueMs = Math.max(one.dueMs, awayUntilMs);
      if (dueMs > now) {
        nextMs = Math.min(nextMs, dueMs);
        continue;
      }
      const waitMs = bucket.take(now);
      if (waitMs > 0) {
        nextMs = Math.min(nextMs, now + waitMs);
        break;
      }
      waiting.delete(id);
      launching.set(
        id,
        launchOne(one).finally(() => {
          launching.delete(id);
          dropped.delete(id);
          pump();
        }),
      );
    }
    if (nextMs < Number.POSITIVE_INFINITY) timer = startTimer(nextMs - now, pump);
  }

  async function launchOne(one: Waiting): Promise<void> {
    try {
      const launch = await options.launch(one.workload);
      bucket.reward();
      setHealth(true, "");
      if (launch.kind === "launched") on.launched(one.workload, launch.externalExecutorId, dropped.has(workloadId(one.workload)));
      else if (dropped.has(workloadId(one.workload))) return;
      else if (launch.kind === "refused") on.refused(one.workload, launch.reason);
      else count(one, launch.reason);
    } catch (error) {
      const fault = faultOf(error);
      const facts = { id: workloadId(one.workload), error: fault.message };
      if (fault.kind === "answered") {
        setHealth(true, "");
        count(one, fault.message);
      } else if (fault.kind === "throttled") {
        bucket.punish(Date.now());
        logger.debug(facts, "AWS throttles launches");
        waitAgain(one);
      } else {
        one.isAmbiguous ||= fault.kind === "away";
        setHealth(false, fault.message);
        await tryRenew(options, logger);
        waitAgain(one);
      }
    }
  }

  function count(one: Waiting, reason: string): void {
    if (dropped.has(workloadId(one.workload))) return;
    one.failed++;
    if (one.failed >= options.maxAttempts) {
      on.refused(one.workload, `AWS did not launch it in ${one.failed} attempts; it said last: ${reason}`);
      return;
    }
    const delayMs = options.retryDelayMs(one.failed) * (0.75 + Math.random() / 4);
    logger.warn(
      { id: workloadId(one.workload), attempt: one.failed, of: options.maxAttempts, reason },
      "AWS did not launch a workload",
    );
    waitAgain({ ...one, dueMs: Date.now() + delayMs });
  }

  /** At the end of the queue, since newer workloads have not been tried at all. */
  function waitAgain(one: Waiting): void {
    const id = workloadId(one.workload);
    if (!dropped.has(id)) waiting.set(id, one);
  }

  function setHealth(healthy: boolean, message: string): void {
    if (healthy) outages = 0;
    else awayUntilMs = Date.now() + options.retryDelayMs(++outages) * (0.75 + Math.random() / 4);
    if (healthy === isHealthy) return;
    isHealthy = healthy;
    if (healthy) logger.info({}, "AWS accepts launches again");
    else logger.error({ error: message }, "AWS cannot be reached; launches wait until it can, and none is lost");
    on.health(healthy);
  }

  return {
    add(workload) {
      const id = workloadId(workload);
      if (isClosed || waiting.has(id) || launching.has(id)) return;
      waiting.set(id, { workload, failed: 0, dueMs: 0, isAmbiguous: false });
      pump();
    },
    has: (id) => waiting.has(id) || launching.has(id),
    size: () => waiting.size + launching.size,
    isHealthy: () => isHealthy,
    remove(id) {
      if (!waiting.delete(id) && launching.has(id)) dropped.add(id);
    },
    async close() {
      isClosed = true;
      timer?.cancel();
      await Promise.all(launching.values());
      // A workload whose request was never answered may have been launched: the scheduler that adopts it launches it again under
      // the same key.
      const left = [...waiting.values()].filter(({ isAmbiguous }) => !isAmbiguous).map(({ workload }) => workload);
      waiting.clear();
      return left;
    },
  };
}
