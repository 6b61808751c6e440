import { randomUUID } from "node:crypto";
import type { Connection } from "rabbitmq-client";
import { type Logger, toError } from "../../platform/index.ts";
import { within } from "../within.ts";
import { type Broker, type BrokerMessage, type BrokerOptions, byQueue, type EndsWatcher } from "./broker.ts";
import type { BrokerAddress } from "./broker-url.ts";
import { createPublisher, declareTaskQueue, lookUpQueue, type Notice, type Publisher } from "./rabbitmq-channels.ts";
import { checkRabbitmq } from "./rabbitmq-check.ts";
import { connectToRabbitmq } from "./rabbitmq-client.ts";
import { consumeFromRabbitmq } from "./rabbitmq-consumer.ts";
import { type Ends, watchEndsQueue } from "./rabbitmq-ends.ts";
import { rabbitmqNames } from "./rabbitmq-names.ts";

/**
 * AMQP 0-9-1: a durable queue with priorities for each of ours, published with confirms.
 *
 * AMQP cannot be asked whether a queue still has a message. A message is known to be lost if its queue was gone: whoever finds a
 * queue missing, a worker or a scheduler, tells all schedulers before it declares the queue again. Messages that are lost in
 * another way, such as by purging the queue, are found by the scheduler's timeout of queued tasks.
 */
export function createRabbitmqBroker(address: BrokerAddress, options: BrokerOptions, logger: Logger): Broker {
  const names = rabbitmqNames(options.prefix);
  const { operationTimeoutMs: timeoutMs } = options;
  const self = randomUUID();
  const declared = new Set<string>();
  let opened: { connection: Connection; publisher: Publisher } | null = null;
  let ends: Ends | null = null;
  let watcher: EndsWatcher | null = null;
  const published = new Map<string, string>();

  function here(): { connection: Connection; publisher: Publisher } {
    if (!opened) throw new Error("the broker was used before it was started");
    return opened;
  }

  async function declare(queue: string): Promise<void> {
    if (declared.has(queue)) return;
    await declareTaskQueue(here().connection, names, queue, { by: self, timeoutMs, onNew: () => loseQueue(queue) });
    declared.add(queue);
  }

  /** What was published to it before is gone. */
  function loseQueue(queue: string): void {
    declared.delete(queue);
    lose(
      [...published].flatMap(([id, of]) => (of === queue ? [id] : [])),
      { queue: names.queue(queue) },
      "a queue was deleted with the workloads that waited in it; those that have not started are queued again",
    );
  }

  function lose(ids: readonly string[], facts: object, message: string): void {
    if (ids.length === 0) return;
    logger.warn({ broker: address.shown, workloads: ids.length, ...facts }, message);
    for (const id of ids) published.delete(id);
    watcher?.onGone(ids);
  }

  function heed(notice: Exclude<Notice, { ping: string }>): void {
    if ("ended" in notice) {
      for (const id of notice.ended) published.delete(id);
      watcher?.onEnded(notice.ended);
    } else if (notice.by !== self) loseQueue(notice.lostQueue);
  }

  async function publishTo(queue: string, messages: readonly BrokerMessage[]): Promise<void> {
    await declare(queue);
    let waiting = messages;
    // A queue that was deleted is declared again, once.
    for (let attempt = 0; attempt < 2 && waiting.length > 0; attempt++) {
      const returned = await here().publisher.send(waiting);
      for (const one of waiting) if (!returned.includes(one)) published.set(one.id, queue);
      waiting = returned;
      if (waiting.length === 0) return;
      declared.delete(queue);
      await declare(queue);
    }
    if (waiting.length > 0)
      throw new Error(`the broker returned ${waiting.length} messages: it cannot put them into the queue ${names.queue(queue)}`);
  }

  return {
    async start() {
      const connection = await connectToRabbitmq(address, options, logger);
      try {
        await checkRabbitmq(connection, address, options);
      } catch (error) {
        connection.unsafeDestroy();
        throw error;
      }
      opened = { connection, publisher: createPublisher(connection, names, logger) };
      connection.on("connection", () => declared.clear());
    },
    async publish(messages) {
      const work = [...byQueue(messages)].map(([queue, ofQueue]) => publishTo(queue, ofQueue));
      await within(Promise.all(work), timeoutMs, "publishing");
    },
    // AMQP cannot remove a message from the middle of a queue.
    async remove(_queue, id) {
      published.delete(id);
    },
    async missing() {
      const { connection } = here();
      if (!connection.ready) throw new Error("the broker is away");
      await ends?.check();
      for (const queue of new Set(published.values()))
        if ((await lookUpQueue(connection, timeoutMs, names.queue(queue))) === null) loseQueue(queue);
      return [];
    },
    counts: (queues) =>
      Promise.all(
        queues.map(async (queue) => {
          const found = await lookUpQueue(here().connection, timeoutMs, names.queue(queue));
          return { queue, waiting: found?.messageCount ?? 0, taken: null, isServed: (found?.consumerCount ?? 0) > 0 };
        }),
      ),
    async watchEnds(given) {
      watcher = given;
      const { connection } = here();
      const onGap = () =>
        lose(
          [...published.keys()],
          {},
          "the ends of tasks may have been missed; workloads that have not started are queued again",
        );
      const queue = names.endsQueue(self);
      ends = await watchEndsQueue({ connection, names, queue, timeoutMs, onNotice: heed, onGap, logger });
    },
    consume: (wanted) => consumeFromRabbitmq({ connection: here().connection, names, timeoutMs, logger }, wanted),
    async close() {
      if (!opened) return;
      const { connection, publisher } = opened;
      await ends?.close();
      await within(publisher.close(), 1_000, "closing").catch((error) =>
        logger.debug({ error: toError(error).message }, "a channel could not be closed"),
      );
      await within(connection.close(), 2_000, "closing").catch(() => connection.unsafeDestroy());
    },
  };
}
