import { randomUUID } from "node:crypto";
import type { Channel, Connection } from "rabbitmq-client";
import { type Logger, startTimer, type Timer, toError } from "../../platform/index.ts";
import type { ConsumeOptions, Consumer, Delivery } from "./broker.ts";
import { createReopening, declareTaskQueue, endsExchange, openChannel, toEnds } from "./rabbitmq-channels.ts";
import type { RabbitmqNames } from "./rabbitmq-names.ts";

type Resources = { connection: Connection; names: RabbitmqNames; timeoutMs: number; logger: Logger };

const QUEUE_RETRY_MS = 1_000;
/** Acknowledged ids are collected for this long, and published together. */
const NOTICE_MS = 5;
/** Ids that are kept while they cannot be told. */
const ENDED_MAX = 10_000;

/**
 * One channel for all queues, whose prefetch count is the limit of all its consumers together. When it is lost, the broker
 * redelivers everything unacknowledged, possibly to this worker: so each delivery keeps its channel. When a queue is deleted, or the
 * node that has it fails, the broker cancels its consumer: the queue is declared and consumed again.
 */
export async function consumeFromRabbitmq(resources: Resources, { onDelivery, ...wanted }: ConsumeOptions): Promise<Consumer> {
  const { connection, names, timeoutMs, logger } = resources;
  const self = randomUUID();
  let queues: readonly string[] = wanted.queues;
  let limit = wanted.limit;
  let isTaking = true;
  let isStopped = false;
  let channel: Channel | null = null;
  /** Queue → tag of its consumer on the current channel. */
  const consumers = new Map<string, string>();
  /** Queues that the log says are not consumed. */
  const troubled = new Set<string>();
  let queueTimer: Timer | null = null;
  const inHand = new Set<Delivery>();
  let ended: string[] = [];
  let noticeTimer: NodeJS.Timeout | null = null;
  let changes: Promise<void> = Promise.resolve();

  function deliver(from: Channel, queue: string, message: { messageId?: string; body: unknown; deliveryTag: number }): void {
    const settle = (work: () => void) => {
      inHand.delete(delivery);
      // A delivery tag of a lost channel is invalid: the message is redelivered in any case.
      if (from.active) work();
    };
    const delivery: Delivery = {
      queue,
      id: message.messageId ?? "",
      body: String(message.body),
      async ack() {
        // Publish the id first, then acknowledge: in the other order a crash in between would lose the id.
        await notice(message.messageId ?? "");
        settle(() => from.basicAck({ deliveryTag: message.deliveryTag }));
      },
      async requeue() {
        settle(() => from.basicNack({ deliveryTag: message.deliveryTag, requeue: true }));
      },
    };
    inHand.add(delivery);
    onDelivery(delivery);
  }

  let told: Promise<void> = Promise.resolve();
  function notice(id: string): Promise<void> {
    ended.push(id);
    if (!noticeTimer) {
      told = new Promise((resolve) => {
        noticeTimer = setTimeout(() => {
          noticeTimer = null;
          tellEnds().finally(resolve);
        }, NOTICE_MS);
      });
    }
    return told;
  }

  /** What cannot be told now is told when the channel is open again: a message of a deleted queue is not delivered again. */
  async function tellEnds(): Promise<void> {
    const ids = ended;
    ended = [];
    if (ids.length === 0) return;
    try {
      if (!channel?.active) throw new Error("the channel is closed");
      await channel.basicPublish({ ...toEnds(names), durable: true }, ids.join(","));
    } catch (error) {
      ended = [...ids, ...ended].slice(-ENDED_MAX);
      logger.debug({ error: toError(error).message }, "acknowledged ids could not be published; they are kept");
    }
  }

  async function open(): Promise<void> {
    const opened = await openChannel(connection, logger);
    consumers.clear();
    try {
      await opened.exchangeDeclare(endsExchange(names));
      await opened.basicQos({ prefetchCount: limit, global: true });
      opened.on("basic.cancel", (tag) => void consumeAgain(opened, tag));
      channel = opened;
      await inTurn(subscribe);
      await tellEnds();
      opened.on("close", () => void openAgain());
    } catch (error) {
      if (opened.active) void opened.close().catch(() => {});
      throw error;
    }
    // It was closed before anybody listened.
    if (!opened.active) throw new Error("the channel was closed at once");
  }

  const openAgain = createReopening({
    async open() {
      channel = null;
      await open().catch((error: unknown) => {
        channel = null;
        throw error;
      });
    },
    isOver: () => isStopped,
    logger,
    facts: () => ({ queues: [...queues] }),
    failing: "messages cannot be consumed; retrying",
    again: "messages are consumed again",
  });

  async function consumeAgain(from: Channel, tag: string): Promise<void> {
    const queue = [...consumers].find(([, known]) => known === tag)?.[0];
    if (from !== channel || queue === undefined) return;
    logger.warn({ queue: names.queue(queue) }, "the broker has deleted or moved a queue; it is declared and consumed again");
    consumers.delete(queue);
    troubled.add(queue);
    await change(subscribe);
  }

  /** Starts and cancels consumers of the channel to match the wanted queues. */
  async function subscribe(): Promise<void> {
    const current = channel;
    if (!current) return;
    const right = isTaking ? queues : [];
    for (const [queue, tag] of consumers) {
      if (right.includes(queue)) continue;
      consumers.delete(queue);
      await current.basicCancel(tag);
    }
    for (const queue of right) {
      if (consumers.has(queue)) continue;
      await consume(current, queue);
    }
  }

  async function consume(current: Channel, queue: string): Promise<void> {
    try {
      await declareTaskQueue(connection, names, queue, { by: self, timeoutMs });
    } catch (error) {
      if (!current.active) throw error;
      // A queue whose node is down does not keep the worker from the others.
      if (!troubled.has(queue))
        logger.warn({ queue: names.queue(queue), error: toError(error).message }, "a queue cannot be consumed; retrying");
      troubled.add(queue);
      queueTimer ??= startTimer(QUEUE_RETRY_MS, () => {
        queueTimer = null;
        void change(subscribe);
      });
      return;
    }
    const { consumerTag } = await current.basicConsume({ queue: names.queue(queue) }, (message) =>
      deliver(current, queue, message),
    );
    consumers.set(queue, consumerTag);
    if (troubled.delete(queue)) logger.info({ queue: names.queue(queue) }, "the queue is consumed again");
  }

  /** One at a time: two at once would each add the same consumers. */
  function inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const done = changes.then(work);
    changes = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** If it fails, the channel is closed: a new one is opened with the queues and the limit wanted then. */
  async function change(work: () => Promise<unknown>): Promise<void> {
    const current = channel;
    try {
      await inTurn(work);
    } catch (error) {
      logger.debug({ error: toError(error).message }, "a change of a worker's queues waits for the broker");
      // It rejects if the connection is lost meanwhile, and then the channel is closed as well.
      await current?.close().catch(() => {});
    }
  }

  await open();

  return {
    setQueues(next) {
      queues = [...next];
      return change(subscribe);
    },
    setLimit(next) {
      limit = next;
      return change(async () => channel?.basicQos({ prefetchCount: limit, global: true }));
    },
    pause() {
      isTaking = false;
      return change(subscribe);
    },
    async stop() {
      isTaking = false;
      queueTimer?.cancel();
      await change(subscribe);
      for (const delivery of [...inHand]) await delivery.requeue();
      await told;
      isStopped = true;
      await channel?.close().catch(() => {});
    },
  };
}
