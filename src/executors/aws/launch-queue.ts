/**
 * Workloads on their way to AWS, one request each, beside the scheduler's loop:
 * - waiting: until a request slot and a token are free, and its own delay is over;
 * - launching: its request is under way. Left for launched or refused, which are reported and removed here, or for waiting again.
 *
 * Throttling pauses all launches and does not count as an attempt of any workload. The same holds for expired credentials and an AWS
 * that does not answer; while these last, the queue is unhealthy. Want of capacity delays its own workload, for a limited time, and is
 * no attempt either. Any other refusal counts as an attempt of its workload, up to `maxAttempts`.
 *
 * A request that failed without a readable answer may have launched its workload: the workload is unsure, and stays so. It keeps its id,
 * which is its key, whatever happens: it is never returned as not launched, and before it is refused, it is looked up for the time in
 * which AWS, or its worker, would say that it runs.
 */
import { type Workload, workloadId } from "../../contracts/index.ts";
import { type Logger, startTimer, type Timer } from "../../platform/index.ts";
import { within } from "../within.ts";
import type { CapacityWait } from "./capacity-wait.ts";
import { type AwsFault, faultOf } from "./fault-of.ts";
import { createOutage } from "./outage.ts";
import { tryRenew } from "./renewable-client.ts";
import { createTokenBucket } from "./token-bucket.ts";
import { tryKeyOf } from "./workload-names.ts";

export type Launch =
  | { kind: "launched"; externalExecutorId: string }
  /** AWS accepted the request but has no room for it now. */
  | { kind: "no_capacity"; reason: string }
  /** AWS accepted the request but launched nothing: counts as an attempt. */
  | { kind: "not_now"; reason: string }
  /** It can never be launched, and no other try of the same task can. */
  | { kind: "refused"; reason: string };

export type LaunchQueueOptions = {
  /** Throws what the request throws. */
  launch(workload: Workload): Promise<Launch>;
  /** The external id under which AWS runs it; null: AWS knows of none. Throws what the request throws. null: AWS has no such look-up. */
  find: ((workload: Workload) => Promise<string | null>) | null;
  /** Credentials may have been renewed: clients made with the old ones are discarded. */
  renew(): Promise<void>;
  maxAttempts: number;
  perSec: number;
  /** Delay before the next attempt, after this many failed ones. */
  retryDelayMs(failed: number): number;
  /** The longest pause in an outage, after this many signs of it. */
  outagePauseMs(signs: number): number;
  capacity: CapacityWait;
  /** How often waiting workloads are reported as such. */
  tellEveryMs: number;
  /** From a request without a readable answer to the time at which AWS certainly shows what it launched, or its worker has reported. */
  settleMs: number;
  on: {
    /** `isDropped`: `remove` was called for it in the meantime. */
    launched(workload: Workload, externalExecutorId: string, isDropped: boolean): void;
    /** `isFinal`: no try of the same task can be launched. */
    refused(workload: Workload, reason: string, isFinal: boolean): void;
    /** They are still waiting; `reason` if it is another than before. */
    waiting(told: readonly { workload: Workload; reason: string | null }[]): void;
    /** The queue became healthy or unhealthy. */
    health(isHealthy: boolean): void;
  };
  logger: Logger;
};

export type LaunchQueue = {
  /** `isUnsure`: another scheduler may have launched it. */
  add(workload: Workload, isUnsure?: boolean): void;
  has(id: string): boolean;
  /** Waiting or launching. */
  size(): number;
  /** false during an outage, except for the next workload to ask AWS with, if none is left. */
  isHealthy(): boolean;
  /** Removes one; if its request is in flight, no other is sent for it. */
  remove(id: string): void;
  /** Sends no more, waits a while for requests in flight, and returns the workloads that were certainly not launched. */
  close(): Promise<Workload[]>;
};

type Verdict = { reason: string; isFinal: boolean };
type Waiting = {
  workload: Workload;
  failed: number;
  dueMs: number;
  /** When a request failed last that may have launched it, or it was adopted; null: it was certainly not launched. */
  unsureSinceMs: number | null;
  /** Why it is refused, if it was not launched after all. */
  verdict: Verdict | null;
  /** Why its launches failed, each reason once. */
  reasons: string[];
  /** What the last reported reason is about. */
  told: string | null;
};

/** Requests in flight at once: a launch takes AWS 200 ms to 1 s. */
const IN_FLIGHT_MAX = 16;
/** Reasons of one workload that its refusal names. */
const REASONS_MAX = 5;
/** Look-ups of an unsure workload. */
const LOOKS = 6;
/** A request has its own limits; what it waits for before it is sent, for example credentials, may have none. */
const REQUEST_MAX_MS = 60_000;
const RENEW_MAX_MS = 30_000;
/** A request that takes longer leaves its workload unsure; the next scheduler asks again. */
const CLOSE_WAIT_MS = 10_000;

export function createLaunchQueue(options: LaunchQueueOptions): LaunchQueue {
  const { on, logger, capacity } = options;
  const bucket = createTokenBucket({ perSec: options.perSec, burst: Math.max(1, Math.ceil(options.perSec)) });
  const outage = createOutage({ pauseMs: options.outagePauseMs });
  const waiting = new Map<string, Waiting>();
  const launching = new Map<string, { one: Waiting; done: Promise<void> }>();
  /** Launching workloads that were removed. */
  const dropped = new Set<string>();
  let timer: Timer | undefined;
  let telling: Timer | undefined;
  let isClosed = false;

  function pump(): void {
    timer?.cancel();
    if (isClosed) return;
    const now = Date.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, one] of waiting) {
      // While AWS is away, one request at a time probes it.
      if (launching.size >= (outage.isOn() ? 1 : IN_FLIGHT_MAX)) return;
      const dueMs = Math.max(one.dueMs, outage.pausedUntilMs());
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
      const done = launchOne(one).finally(() => {
        launching.delete(id);
        dropped.delete(id);
        pump();
      });
      launching.set(id, { one, done });
    }
    if (nextMs < Number.POSITIVE_INFINITY) timer = startTimer(nextMs - now, pump);
  }

  async function launchOne(one: Waiting): Promise<void> {
    const mark = outage.mark();
    try {
      if (one.verdict !== null) return await lookUp(one, one.verdict);
      const launch = await ended(options.launch(one.workload));
      bucket.reward();
      beHealthy();
      heed(one, launch);
    } catch (error) {
      await heedFault(one, faultOf(error), mark);
    }
  }

  function heed(one: Waiting, launch: Launch): void {
    const isDropped = dropped.has(workloadId(one.workload));
    if (launch.kind === "launched") on.launched(one.workload, launch.externalExecutorId, isDropped);
    else if (isDropped) return;
    else if (launch.kind === "refused") refuse(one, { reason: launch.reason, isFinal: true });
    else if (launch.kind === "no_capacity") waitForCapacity(one, launch.reason);
    else count(one, launch.reason);
  }

  async function heedFault(one: Waiting, fault: AwsFault, mark: number): Promise<void> {
    // A look-up launches nothing.
    if (fault.isAmbiguous && one.verdict === null) one.unsureSinceMs = Date.now();
    switch (fault.kind) {
      case "answered":
        beHealthy();
        return count(one, fault.message);
      case "too_large":
        beHealthy();
        return refuse(one, { reason: `AWS cannot take it: ${fault.message}`, isFinal: true });
      case "throttled":
        bucket.punish(Date.now());
        logger.debug({ id: workloadId(one.workload), error: fault.message }, "AWS throttles launches");
        return waitAgain(one);
      case "credentials":
      case "away":
        if (beUnhealthy(mark, fault)) await inTime(tryRenew(options, logger), RENEW_MAX_MS);
        waitAgain(one);
        if (outage.signs() > 1)
          tellAll(`outage ${outage.number()}`, `${fault.message}; it is launched when AWS can be asked again`);
    }
  }

  function waitForCapacity(one: Waiting, reason: string): void {
    const delayMs = capacity.fail(tryKeyOf(one.workload), Date.now());
    note(one, reason);
    if (delayMs === null) {
      refuse(one, { reason: `AWS had no capacity for it in its whole time: ${wordsOf(one)}`, isFinal: false });
      return;
    }
    waitAgain({ ...one, dueMs: Date.now() + delayMs });
    tell(
      one,
      reason,
      `AWS has no capacity for it now (${reason}); it is launched again until there is, for a limited time (capacity_wait)`,
    );
  }

  function count(one: Waiting, reason: string): void {
    if (dropped.has(workloadId(one.workload))) return;
    one.failed++;
    note(one, reason);
    if (one.failed >= options.maxAttempts) {
      refuse(one, { reason: `AWS did not launch it in ${one.failed} attempts; it said last: ${wordsOf(one)}`, isFinal: false });
      return;
    }
    const delayMs = options.retryDelayMs(one.failed) * (0.75 + Math.random() / 4);
    const facts = { id: workloadId(one.workload), attempt: one.failed, of: options.maxAttempts, reason };
    logger.warn(facts, "AWS did not launch a workload");
    waitAgain({ ...one, dueMs: Date.now() + delayMs });
    tell(one, reason, `AWS did not launch it in attempt ${one.failed} of ${options.maxAttempts}: ${reason}`);
  }

  function refuse(one: Waiting, verdict: Verdict): void {
    if (dropped.has(workloadId(one.workload))) return;
    if (one.unsureSinceMs === null) {
      on.refused(one.workload, verdict.reason, verdict.isFinal);
      return;
    }
    logger.warn(
      { id: workloadId(one.workload), reason: verdict.reason },
      "a workload that may run is refused; it is looked up first",
    );
    waitAgain({ ...one, verdict, dueMs: options.find === null ? one.unsureSinceMs + options.settleMs : 0 });
  }

  /** AWS shows what it launched only after a while: that it knows of nothing counts only then. */
  async function lookUp(one: Waiting, verdict: Verdict): Promise<void> {
    let unknown = "";
    if (options.find !== null) {
      const found = await ended(options.find(one.workload)).catch((error: unknown) => {
        const fault = faultOf(error);
        if (fault.kind !== "answered") throw error;
        unknown = ` An earlier request may have launched it, and that cannot be looked up: ${fault.message}`;
        return null;
      });
      beHealthy();
      if (found !== null) return heed(one, { kind: "launched", externalExecutorId: found });
    }
    const isSettled = Date.now() >= (one.unsureSinceMs ?? 0) + options.settleMs;
    if (!isSettled) return waitAgain({ ...one, dueMs: Date.now() + options.settleMs / LOOKS });
    if (!dropped.has(workloadId(one.workload))) on.refused(one.workload, verdict.reason + unknown, verdict.isFinal);
  }

  /** At the end of the queue, since newer workloads have not been tried at all. */
  function waitAgain(one: Waiting): void {
    const id = workloadId(one.workload);
    if (!dropped.has(id)) waiting.set(id, one);
  }

  function note(one: Waiting, reason: string): void {
    if (!one.reasons.includes(reason) && one.reasons.length < REASONS_MAX) one.reasons.push(reason);
    one.reasons.sort((a, b) => Number(a === reason) - Number(b === reason));
  }

  /** Reports a reason once, however often it recurs. */
  function tell(one: Waiting, subject: string, reason: string): void {
    const held = waiting.get(workloadId(one.workload));
    if (!held || held.told === subject) return;
    held.told = subject;
    on.waiting([{ workload: held.workload, reason }]);
  }

  function tellAll(subject: string, reason: string): void {
    const news = [...waiting.values()].filter(({ told }) => told !== subject);
    for (const one of news) one.told = subject;
    if (news.length > 0) on.waiting(news.map(({ workload }) => ({ workload, reason })));
  }

  /** Nobody else knows that these are not stuck. */
  function tellOnAndOn(): void {
    telling ??= startTimer(options.tellEveryMs, () => {
      telling = undefined;
      const all = [...waiting.values(), ...[...launching.values()].map(({ one }) => one)];
      if (isClosed || all.length === 0) return;
      on.waiting(
        all.map((one) => {
          const reason = one.told === null ? `it waits for its turn to be launched, with ${all.length - 1} others` : null;
          one.told ??= "turn";
          return { workload: one.workload, reason };
        }),
      );
      tellOnAndOn();
    }).unref();
  }

  function beHealthy(): void {
    if (!outage.end()) return;
    logger.info({}, "AWS accepts launches again");
    on.health(true);
  }

  /** Returns whether this is a new sign of an outage. */
  function beUnhealthy(mark: number, fault: AwsFault): boolean {
    if (!outage.sign(mark, Date.now())) return false;
    if (outage.signs() > 1) return true;
    logger.error({ error: fault.message }, "AWS cannot be reached; launches wait until it can, and none is lost");
    on.health(false);
    return true;
  }

  return {
    add(workload, isUnsure = false) {
      const id = workloadId(workload);
      if (isClosed || waiting.has(id) || launching.has(id)) return;
      const now = Date.now();
      waiting.set(id, {
        workload,
        failed: 0,
        dueMs: now + capacity.delayMs(tryKeyOf(workload), now),
        unsureSinceMs: isUnsure ? now : null,
        verdict: null,
        reasons: [],
        told: null,
      });
      tellOnAndOn();
      pump();
    },
    has: (id) => waiting.has(id) || launching.has(id),
    size: () => waiting.size + launching.size,
    isHealthy: () => !outage.isOn() || (waiting.size + launching.size === 0 && Date.now() >= outage.pausedUntilMs()),
    remove(id) {
      if (!waiting.delete(id) && launching.has(id)) dropped.add(id);
    },
    async close() {
      isClosed = true;
      timer?.cancel();
      telling?.cancel();
      await inTime(Promise.all([...launching.values()].map(({ done }) => done)), CLOSE_WAIT_MS);
      // A workload whose request has no readable answer may have been launched: the scheduler that adopts it launches it again under
      // the same key.
      const left = [...waiting.values()].filter(({ unsureSinceMs }) => unsureSinceMs === null).map(({ workload }) => workload);
      waiting.clear();
      return left;
    },
  };
}

/** Waits for the work, for so long at most; it goes on. */
async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  await within(work, ms, "waiting").catch((error: Error) => {
    if (error.name !== "TimeoutError") throw error;
  });
}

function ended<T>(request: Promise<T>): Promise<T> {
  return within(request, REQUEST_MAX_MS, "the request");
}

/** The last reason, then the earlier ones. */
function wordsOf({ reasons }: Waiting): string {
  const earlier = reasons.slice(0, -1);
  return `${reasons.at(-1)}${earlier.length > 0 ? `; and before: ${earlier.join("; ")}` : ""}`;
}
