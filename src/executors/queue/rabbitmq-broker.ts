import { randomUUID } from "node:crypto";
import type { Channel, Connection, Publisher } from "rabbitmq-client";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import type { BrokerAddress } from "./broker-url.ts";
import { connectToRabbitmq } from "./rabbitmq-client.ts";
import { consumeFromRabbitmq } from "./rabbitmq-consumer.ts";
import { rabbitmqNames, taskQueue, toRabbitmqPriority } from "./rabbitmq-names.ts";
import { within } from "./within.ts";

/**
 * A scheduler's queue of acknowledged ids is deleted after this long without its scheduler, which then treats its messages as lost.
 */
const ENDS_EXPIRE_MS = 3_600_000;
const RETRY_MS = 200;

/** AMQP 0-9-1: a durable queue with priorities for each of ours, published with confirms. */
export function createRabbitmqBroker(address: BrokerAddress, options: BrokerOptions, logger: Logger): Broker {
  const names = rabbitmqNames(options.prefix);
  const declared = new Set<string>();
  let opened: { connection: Connection; publisher: Publisher } | null = null;
  let isClosed = false;
  let ends: { queue: string; channel: Channel } | null = null;
  /** When the broker was found to have lost its queues; messages published before are gone. */
  let lostAt: number | null = null;
  const publishedAt = new Map<string, number>();
  /** Ids that were returned because their queue was deleted. */
  const returned = new Set<string>();

  function here(): { connection: Connection; publisher: Publisher } {
    if (!opened) throw new Error("the broker was used before it was started");
    return opened;
  }

  async function onChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await here().connection.acquire();
    // A channel's error is reported by the call that waits for its answer; handling it here would report it twice.
    try {
      return await within(work(channel), options.operationTimeoutMs, "asking the broker");
    } finally {
      if (channel.active) await channel.close().catch(() => {});
    }
  }

  /** The queue's facts, or null if it does not exist. */
  function lookUp(queue: string) {
    return onChannel((channel) => channel.queueDeclare({ queue, passive: true })).catch((error) => {
      if (
        toError(error).message.includes("NOT_FOUND") ||
        ("code" in toError(error) && (error as { code: string }).code === "NOT_FOUND")
      )
        return null;
      throw error;
    });
  }

  async function declare(queue: string): Promise<void> {
    if (declared.has(queue)) return;
    await onChannel((channel) => channel.queueDeclare(taskQueue(names, queue)));
    declared.add(queue);
  }

  /** Consumes the acknowledged ids while the broker is open, across outages. */
  async function readEnds(queue: string, onEnded: (ids: readonly string[]) => void, isFirst: boolean): Promise<void> {
    if (!isFirst && (await lookUp(queue)) === null) {
      lostAt = Date.now();
      declared.clear();
      logger.warn({ broker: address.shown }, "the broker has lost its queues; the workloads that waited there are requeued");
    }
    const channel = await here().connection.acquire();
    ends = { queue, channel };
    channel.on("close", () => {
      if (!isClosed) void readAgain(queue, onEnded);
    });
    await channel.exchangeDeclare({ exchange: names.ends, type: "fanout", durable: true });
    await channel.queueDeclare({ queue, durable: true, arguments: { "x-expires": ENDS_EXPIRE_MS } });
    await channel.queueBind({ queue, exchange: names.ends });
    await channel.basicConsume({ queue, noAck: true }, (message) => onEnded(String(message.body).split(",")));
  }

  async function readAgain(queue: string, onEnded: (ids: readonly string[]) => void): Promise<void> {
    while (!isClosed) {
      try {
        return await readEnds(queue, onEnded, false);
      } catch (error) {
        logger.debug({ error: toError(error).message }, "acknowledged ids cannot be read; retrying");
        await sleep(RETRY_MS);
      }
    }
  }

  return {
    async start() {
      const connection = await connectToRabbitmq(address, options, logger);
      const publisher = connection.createPublisher({ confirm: true });
      publisher.on("basic.return", ({ messageId }) => void (messageId && returned.add(messageId)));
      opened = { connection, publisher };
      connection.on("connection", () => declared.clear());
    },
    async publish(messages) {
      for (const queue of new Set(messages.map((one) => one.queue))) await declare(queue);
      const { publisher } = here();
      const sent = messages.map(async ({ queue, id, body, priority }) => {
        const envelope = {
          routingKey: names.queue(queue),
          durable: true,
          mandatory: true,
          messageId: id,
          priority: toRabbitmqPriority(priority),
          contentType: "text/plain",
        };
        await publisher.send(envelope, body);
        if (returned.delete(id)) {
          declared.delete(queue);
          throw new Error(`the queue ${names.queue(queue)} is gone`);
        }
        publishedAt.set(id, Date.now());
      });
      await within(Promise.all(sent), options.operationTimeoutMs, "publishing");
    },
    // AMQP cannot remove a message from the middle of a queue.
    async remove(_queue, id) {
      publishedAt.delete(id);
    },
    async missing(messages) {
      if (!here().connection.ready) throw new Error("the broker is away");
      return messages.flatMap(({ id }) => (lostAt !== null && (publishedAt.get(id) ?? 0) < lostAt ? [id] : []));
    },
    counts: (queues) =>
      Promise.all(
        queues.map(async (queue) => {
          const found = await lookUp(names.queue(queue));
          return { queue, waiting: found?.messageCount ?? 0, taken: null, isServed: (found?.consumerCount ?? 0) > 0 };
        }),
      ),
    async watchEnds(onEnded) {
      const forget = (ids: readonly string[]) => {
        for (const id of ids) publishedAt.delete(id);
        onEnded(ids);
      };
      await readEnds(names.endsQueue(randomUUID()), forget, true);
    },
    consume: (wanted) => consumeFromRabbitmq({ connection: here().connection, names, logger }, wanted),
    async close() {
      isClosed = true;
      if (!opened) return;
      const { connection, publisher } = opened;
      if (ends?.channel.active) {
        const { channel, queue } = ends;
        await within(channel.queueDelete({ queue }), 1_000, "closing").catch(() => {});
        await within(channel.close(), 1_000, "closing").catch(() => {});
      }
      await within(publisher.close(), 1_000, "closing").catch(() => {});
      await within(connection.close(), 2_000, "closing").catch(() => connection.unsafeDestroy());
    },
  };
}
