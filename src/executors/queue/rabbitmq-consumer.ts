import type { Channel, Connection } from "rabbitmq-client";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import type { ConsumeOptions, Consumer, Delivery } from "./broker.ts";
import { type RabbitmqNames, taskQueue } from "./rabbitmq-names.ts";

type Resources = { connection: Connection; names: RabbitmqNames; logger: Logger };

const RETRY_MS = 200;
/** Ids of ended messages gather for this long: one notice for many. */
const NOTICE_MS = 5;

/**
 * One channel for all queues, whose prefetch count is the limit of all its consumers together. When it breaks, the broker
 * gives everything unacknowledged out again, to us too: each delivery remembers the channel it came by.
 */
export async function consumeFromRabbitmq(resources: Resources, { onDelivery, ...wanted }: ConsumeOptions): Promise<Consumer> {
  const { connection, names, logger } = resources;
  let queues: readonly string[] = wanted.queues;
  let limit = wanted.limit;
  let isTaking = true;
  let isStopped = false;
  let channel: Channel | null = null;
  /** Queue → tag of its consumer, on the channel of now. */
  const consumers = new Map<string, string>();
  const inHand = new Set<Delivery>();
  let ended: string[] = [];
  let noticeTimer: NodeJS.Timeout | null = null;
  let changes: Promise<void> = Promise.resolve();

  function deliver(from: Channel, queue: string, message: { messageId?: string; body: unknown; deliveryTag: number }): void {
    const settle = (work: () => void) => {
      inHand.delete(delivery);
      // A tag of a channel that is gone says nothing: the message is given out again in any case.
      if (from.active) work();
    };
    const delivery: Delivery = {
      queue,
      id: message.messageId ?? "",
      body: String(message.body),
      async ack() {
        // First the notice, then the acknowledgement: were it the other way round, a crash between would lose the notice.
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
          const ids = ended;
          ended = [];
          const body = ids.join(",");
          const work = channel?.active
            ? channel.basicPublish({ exchange: names.ends, routingKey: "", durable: true, contentType: "text/plain" }, body)
            : Promise.resolve();
          work.catch((error) => logger.debug({ error: toError(error).message }, "ends were not told")).finally(resolve);
        }, NOTICE_MS);
      });
    }
    return told;
  }

  async function open(): Promise<void> {
    const opened = await connection.acquire();
    consumers.clear();
    opened.on("close", () => {
      if (channel === opened && !isStopped) void openAgain();
    });
    await opened.exchangeDeclare({ exchange: names.ends, type: "fanout", durable: true });
    await opened.basicQos({ prefetchCount: limit, global: true });
    channel = opened;
    await inTurn(subscribe);
  }

  async function openAgain(): Promise<void> {
    for (channel = null; !isStopped; ) {
      try {
        return await open();
      } catch (error) {
        logger.debug({ error: toError(error).message }, "taking from the broker failed; it is tried again");
        await sleep(RETRY_MS);
      }
    }
  }

  /** Brings the channel's consumers to what is wanted. */
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
      await current.queueDeclare(taskQueue(names, queue));
      const { consumerTag } = await current.basicConsume({ queue: names.queue(queue) }, (message) =>
        deliver(current, queue, message),
      );
      consumers.set(queue, consumerTag);
    }
  }

  /** One after the other: two at once would each add what the other adds. */
  function inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const done = changes.then(work);
    changes = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /** A channel that breaks on the way is opened anew with what is wanted by then. */
  async function change(work: () => Promise<unknown>): Promise<void> {
    await inTurn(work).catch((error) =>
      logger.debug({ error: toError(error).message }, "a change of a worker's queues waits for the broker"),
    );
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
      await change(subscribe);
      for (const delivery of [...inHand]) await delivery.requeue();
      await told;
      isStopped = true;
      await channel?.close().catch(() => {});
    },
  };
}
