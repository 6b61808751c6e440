import type { Channel, Connection } from "rabbitmq-client";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import type { ConsumeOptions, Consumer, Delivery } from "./broker.ts";
import { type RabbitmqNames, taskQueue } from "./rabbitmq-names.ts";

type Resources = { connection: Connection; names: RabbitmqNames; logger: Logger };

const RETRY_MS = 200;
/** Acknowledged ids are collected for this long, and published together. */
const NOTICE_MS = 5;

/**
 * One channel for all queues, whose prefetch count is the limit of all its consumers together. When it is lost, the broker
 * redelivers everything unacknowledged, possibly to this worker: so each delivery keeps its channel.
 */
export async function consumeFromRabbitmq(resources: Resources, { onDelivery, ...wanted }: ConsumeOptions): Promise<Consumer> {
  const { connection, names, logger } = resources;
  let queues: readonly string[] = wanted.queues;
  let limit = wanted.limit;
  let isTaking = true;
  let isStopped = false;
  let channel: Channel | null = null;
  /** Queue → tag of its consumer on the current channel. */
  const consumers = new Map<string, string>();
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
          const ids = ended;
          ended = [];
          const body = ids.join(",");
          const work = channel?.active
            ? channel.basicPublish({ exchange: names.ends, routingKey: "", durable: true, contentType: "text/plain" }, body)
            : Promise.resolve();
          work
            .catch((error) => logger.debug({ error: toError(error).message }, "acknowledged ids could not be published"))
            .finally(resolve);
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
        logger.debug({ error: toError(error).message }, "consuming from the broker failed; retrying");
        await sleep(RETRY_MS);
      }
    }
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
      await current.queueDeclare(taskQueue(names, queue));
      const { consumerTag } = await current.basicConsume({ queue: names.queue(queue) }, (message) =>
        deliver(current, queue, message),
      );
      consumers.set(queue, consumerTag);
    }
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

  /** If the channel is lost meanwhile, a new one is opened with the queues wanted then. */
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
