/**
 * A try that this executor holds is:
 * - waiting: accepted from the scheduler, not yet published; published in order, and retried while the broker is away;
 * - publishing: sent to the broker. If no answer arrives, only publishing the same id again tells whether it was stored;
 * - published: held by the broker or a worker. It is done when a worker acknowledges it, which happens when its outcome is stored
 *   or its start was refused, or when the broker does not have it any more; then it is requeued under a new id, unless it was
 *   started.
 */
import { queueNameSchema, WORKLOAD_MAX_BYTES, type Workload, workloadId } from "../../contracts/index.ts";
import { type Logger, startInterval, startTimer, type Timer, toError } from "../../platform/index.ts";
import type { Executor, ExecutorEvent, ExecutorOptions, FindEnded } from "../contract.ts";
import type { Broker, BrokerMessage, BrokerOptions } from "./broker.ts";
import { openBroker } from "./open-broker.ts";

export type QueueExecutorOptions = ExecutorOptions & {
  broker: BrokerOptions;
  findEnded: FindEnded;
  /** Queue of callbacks, which belong to no task. */
  callbackQueue: string;
  /** How often published messages are checked against the broker, and queues without a worker are looked for. */
  checkSec: number;
};

type InHand = BrokerMessage & {
  state: "waiting" | "publishing" | "published";
  since: number;
  isCallback: boolean;
  isRevoked: boolean;
  /** Whether the scheduler knows why it waits. */
  isWaitTold: boolean;
};

const PUBLISH_AT_ONCE = 200;
const BACKOFF_MAX_MS = 5_000;

/** Why no worker can be told to serve this queue, or null. */
export function queueFault(executor: string, queue: string): string | null {
  const wrong = queueNameSchema.safeParse(queue).error?.issues[0]?.message;
  return wrong === undefined ? null : `its queue is "${queue.slice(0, 200)}", which ${executor} cannot carry: ${wrong}`;
}

/** Publishes workloads to a broker, from which workers anywhere take them; see broker.ts for its guarantees. */
export function createQueueExecutor(options: QueueExecutorOptions, logger: Logger): Executor {
  const inHand = new Map<string, InHand>();
  const unserved = new Map<string, { since: number; isTold: boolean }>();
  let events: ExecutorEvent[] = [];
  let broker: Broker | null = null;
  let publishing: Promise<void> | null = null;
  let retryTimer: Timer | null = null;
  let checkTimer: Timer | null = null;
  let failures = 0;
  /** Why the last publish failed; null = it did not. */
  let publishFault: string | null = null;
  let isEnding = false;
  /** Whether the scheduler last saw so few free slots that it may have left tasks undispatched. */
  let wasShort = false;

  const emit = (event: ExecutorEvent) => {
    events.push(event);
    options.onEvent();
  };

  function takeOver(workload: Workload): boolean {
    // A probe, too, may have started without this executor's knowledge.
    const isCallback = workload.type !== "ExecuteTask";
    const id = workloadId(workload);
    const body = JSON.stringify(workload);
    const sizeBytes = Buffer.byteLength(body);
    if (sizeBytes > WORKLOAD_MAX_BYTES) {
      const reason = `the workload has ${sizeBytes} bytes, and ${options.name} carries ${WORKLOAD_MAX_BYTES} at most: make its executorConfig or ids shorter`;
      emit({ id, kind: "refused", reason });
      return false;
    }
    const queue = queueOf(workload);
    const reason = queueFault(options.name, queue);
    if (reason !== null) {
      emit({ id, kind: "refused", reason });
      return false;
    }
    if (inHand.has(id)) return true;
    const priority = isCallback ? Number.MAX_SAFE_INTEGER : workload.ti.priorityWeight;
    inHand.set(id, {
      id,
      queue,
      body,
      priority,
      state: "waiting",
      since: Date.now(),
      isCallback,
      isRevoked: false,
      isWaitTold: false,
    });
    return true;
  }

  function queueOf(workload: Workload): string {
    if (workload.type === "ExecuteTask") return workload.ti.queue;
    return workload.type === "Probe" ? workload.queue : options.callbackQueue;
  }

  function letGo(id: string): InHand | null {
    const one = inHand.get(id) ?? null;
    inHand.delete(id);
    // A try's end is in the database before its acknowledgement arrives here: the pass that the database woke found no free slot.
    if (one && wasShort) options.onEvent();
    return one;
  }

  function pump(): void {
    if (publishing || retryTimer || !broker || isEnding) return;
    const batch: InHand[] = [];
    for (const one of inHand.values()) {
      if (one.state !== "waiting") continue;
      batch.push(one);
      if (batch.length === PUBLISH_AT_ONCE) break;
    }
    if (batch.length === 0) return;
    publishing = publish(broker, batch).finally(() => {
      publishing = null;
      pump();
    });
  }

  async function publish(to: Broker, batch: readonly InHand[]): Promise<void> {
    for (const one of batch) one.state = "publishing";
    try {
      await to.publish(batch);
      if (failures > 0) logger.info({ executor: options.name }, "workloads can be published again");
      failures = 0;
      publishFault = null;
      for (const one of batch) {
        one.state = "published";
        one.since = Date.now();
        if (one.isRevoked) takeOut(to, one);
      }
    } catch (error) {
      publishFault = toError(error).message;
      if (failures++ === 0)
        logger.warn(
          { executor: options.name, waiting: batch.length, error: toError(error).message },
          "workloads cannot be published to the broker; they are kept and retried",
        );
      for (const one of batch) one.state = "waiting";
      if (isEnding) return;
      const waitMs = Math.min(BACKOFF_MAX_MS, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
      retryTimer = startTimer(waitMs, () => {
        retryTimer = null;
        pump();
      });
    }
  }

  function takeOut(from: Broker, { queue, id }: InHand): void {
    letGo(id);
    // A worker that gets it nevertheless is refused its start.
    from
      .remove(queue, id)
      .catch((error) => logger.debug({ id, error: toError(error).message }, "a message could not be removed from its queue"));
  }

  /** What the broker does not take is not stuck: the scheduler waits with it, and the try's log says why. */
  function tellWaiting(): void {
    if (publishFault === null) return;
    for (const one of inHand.values()) {
      if (one.state === "published" || one.isCallback) continue;
      const reason = one.isWaitTold ? null : `${options.name}: the broker does not take it: ${publishFault}`;
      one.isWaitTold = true;
      emit({ id: one.id, kind: "waiting", reason });
    }
  }

  async function check(): Promise<void> {
    if (!broker) return;
    tellWaiting();
    const before = Date.now() - options.checkSec * 1_000;
    const published = [...inHand.values()].filter(({ state, since }) => state === "published" && since < before);
    try {
      // An end that was not told, such as while the broker was away, would take a place for ever.
      for (const id of await options.findEnded(published.map((one) => one.id))) letGo(id);
      const missing = await broker.missing(published.filter(({ id }) => inHand.has(id)));
      if (missing.length > 0) {
        logger.warn(
          { executor: options.name, ids: missing },
          "the broker does not have these workloads any more, and no worker said that they are done; those that have not started are queued again",
        );
        giveUp(missing);
      }
      await warnOfUnserved(broker);
    } catch (error) {
      logger.debug({ error: toError(error).message }, "published messages could not be checked against the broker");
    }
  }

  /** The scheduler queues again those of them that have not started. */
  function giveUp(ids: readonly string[]): void {
    // A callback may have started, which this executor cannot see; the scheduler finds lost ones by their age.
    for (const id of ids)
      if (letGo(id)?.isCallback === false)
        emit({ id, kind: "not_started", reason: "the broker does not have it any more, and no worker said that it is done" });
  }

  /** A task whose queue no worker serves fails only after its queued timeouts; the log says why long before. */
  async function warnOfUnserved(from: Broker): Promise<void> {
    const used = new Set([...inHand.values()].map(({ queue }) => queue));
    for (const queue of unserved.keys()) if (!used.has(queue)) unserved.delete(queue);
    for (const { queue, isServed, waiting } of await from.counts([...used])) {
      const known = unserved.get(queue);
      if (isServed) {
        if (known?.isTold) logger.info({ queue }, `a worker serves the queue "${queue}" now`);
        unserved.delete(queue);
      } else if (!known) unserved.set(queue, { since: Date.now(), isTold: false });
      else if (!known.isTold) {
        known.isTold = true;
        logger.warn(
          { executor: options.name, queue, waiting },
          `no worker serves the queue "${queue}": its tasks wait until one does. Start one with: baram worker start --queues ${queue}`,
        );
      }
    }
  }

  return {
    name: options.name,
    isStartedByWorkers: true,
    async start() {
      const opened = await openBroker(options.broker, logger);
      await opened.start();
      await opened.watchEnds({
        onEnded(ids) {
          for (const id of ids) letGo(id);
        },
        onGone: giveUp,
      });
      broker = opened;
      checkTimer = startInterval(options.checkSec * 1_000, () => void check());
    },
    slotsAvailable() {
      const free = broker && !isEnding ? Math.max(0, options.parallelism - inHand.size) : 0;
      wasShort = free < options.parallelism / 2;
      return free;
    },
    queue(workloads) {
      for (const workload of workloads) takeOver(workload);
      pump();
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    async adopt(orphans) {
      // The broker may have it already: the same id is queued once, or its second start is refused.
      const kept = orphans.filter(({ id, workload }) => inHand.has(id) || (workload !== null && takeOver(workload)));
      pump();
      return kept.map(({ id }) => id);
    },
    describe(id) {
      const one = inHand.get(id);
      if (!one) return null;
      if (one.state !== "published") return `it waits to be published to the queue "${one.queue}" of the broker`;
      const isServed = !unserved.has(one.queue);
      return `it is in the queue "${one.queue}" of the broker${isServed ? "" : `, which no worker serves: start one with \`baram worker start --queues ${one.queue}\``}`;
    },
    revoke(id) {
      const one = inHand.get(id);
      if (!one) return;
      if (one.state === "publishing" || !broker) one.isRevoked = true;
      else if (one.state === "waiting") letGo(id);
      else takeOut(broker, one);
    },
    async end() {
      isEnding = true;
      checkTimer?.cancel();
      retryTimer?.cancel();
      await publishing;
      for (const one of inHand.values())
        if (one.state === "waiting")
          emit({ id: one.id, kind: "not_started", reason: "the scheduler ends, and the broker does not have it" });
      inHand.clear();
      await broker?.close();
      broker = null;
    },
  };
}
