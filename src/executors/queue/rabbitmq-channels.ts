import type { Channel, Connection } from "rabbitmq-client";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { within } from "../within.ts";
import type { BrokerMessage } from "./broker.ts";
import { type RabbitmqNames, taskQueue, toRabbitmqPriority } from "./rabbitmq-names.ts";

/** A channel whose own errors are lines of our log; on the connection they would look like an outage of the broker. */
export async function openChannel(connection: Connection, logger: Logger): Promise<Channel> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true });
  channel.on("error", (error) =>
    logger.warn({ error: toError(error).message }, "the broker has closed a channel; another one is opened"),
  );
  return channel;
}

/** Opens a channel for this work alone: an error of one call closes the channel, and would end other work on it. */
export async function onChannel<T>(
  connection: Connection,
  timeoutMs: number,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true });
  // The call that waits for its answer reports it.
  channel.on("error", () => {});
  try {
    return await within(work(channel), timeoutMs, "asking the broker");
  } finally {
    if (channel.active) await channel.close().catch(() => {});
  }
}

/** An error's code and message: the library puts the broker's word into either. */
export function wordsOf(error: unknown): string {
  const { code, message } = toError(error) as Error & { code?: unknown };
  return `${typeof code === "string" ? code : ""} ${message}`;
}

/** The queue's facts, or null if it does not exist. One whose node is down exists: its messages come back with the node. */
export function lookUpQueue(connection: Connection, timeoutMs: number, queue: string) {
  return onChannel(connection, timeoutMs, (channel) => channel.queueDeclare({ queue, passive: true })).catch((error) => {
    const words = wordsOf(error);
    if (/NOT_FOUND|no queue/.test(words) && !/down or inaccessible/.test(words)) return null;
    throw error;
  });
}

/** What is told over the exchange of ends: ids of acknowledged messages, that a queue was gone, or a scheduler's word to itself. */
export type Notice = { ended: string[] } | { lostQueue: string; by: string } | { ping: string };

const LOST = "lost:";
const PING = "ping:";

export function writePing(ping: string): string {
  return `${PING}${ping}`;
}

export function writeLostQueue(queue: string, by: string): string {
  return `${LOST}${by}:${queue}`;
}

export function readNotice(body: string): Notice {
  if (body.startsWith(PING)) return { ping: body.slice(PING.length) };
  if (!body.startsWith(LOST)) return { ended: body.split(",").filter((id) => id !== "") };
  const [by = "", ...queue] = body.slice(LOST.length).split(":");
  return { lostQueue: queue.join(":"), by };
}

/**
 * Declares a task queue. If it does not exist, all who have published to it must know that what waited there is gone, though it
 * will exist again: so that is told first. `by`: who tells it; it does not have to heed its own notice.
 */
export async function declareTaskQueue(
  connection: Connection,
  names: RabbitmqNames,
  queue: string,
  { by, timeoutMs, onNew }: { by: string; timeoutMs: number; onNew?: () => void },
): Promise<void> {
  const isNew = (await lookUpQueue(connection, timeoutMs, names.queue(queue))) === null;
  if (isNew) onNew?.();
  await onChannel(connection, timeoutMs, async (channel) => {
    if (isNew) {
      await channel.exchangeDeclare(endsExchange(names));
      await channel.confirmSelect();
      await channel.basicPublish({ ...toEnds(names), durable: true }, writeLostQueue(queue, by));
    }
    await channel.queueDeclare(taskQueue(names, queue));
  });
}

export function endsExchange(names: RabbitmqNames) {
  return { exchange: names.ends, type: "fanout", durable: true } as const;
}

/** The envelope of a notice. */
export function toEnds(names: RabbitmqNames) {
  return { exchange: names.ends, routingKey: "", contentType: "text/plain" } as const;
}

type Reopening = {
  open(): Promise<void>;
  isOver(): boolean;
  logger: Logger;
  facts(): object;
  /** What is said of the first failure, and of the success after failures. */
  failing: string;
  again: string;
};

const REOPEN_MS = 200;

/** Opens what was closed, again and again until it is open; a call meanwhile changes nothing. */
export function createReopening({ open, isOver, logger, facts, failing, again }: Reopening): () => Promise<void> {
  let isOpening = false;
  return async () => {
    if (isOpening) return;
    isOpening = true;
    let failures = 0;
    for (; !isOver(); await sleep(REOPEN_MS)) {
      try {
        await open();
        if (failures > 0) logger.info(facts(), again);
        break;
      } catch (error) {
        if (failures++ === 0) logger.warn({ ...facts(), error: toError(error).message }, failing);
      }
    }
    isOpening = false;
  };
}

export type Publisher = {
  /** Resolves when the broker has answered for all, with those that it could not put into a queue. */
  send(messages: readonly BrokerMessage[]): Promise<BrokerMessage[]>;
  close(): Promise<void>;
};

/** Publishes with confirms, over one channel that is opened again when it is lost. */
export function createPublisher(connection: Connection, names: RabbitmqNames, logger: Logger): Publisher {
  let opening: Promise<Channel> | null = null;
  let current: Channel | null = null;
  const returned = new Set<string>();

  async function open(): Promise<Channel> {
    const channel = await openChannel(connection, logger);
    channel.on("basic.return", ({ messageId }) => void (messageId && returned.add(messageId)));
    await channel.confirmSelect();
    current = channel;
    return channel;
  }

  async function channelNow(): Promise<Channel> {
    if (current?.active) return current;
    opening ??= open().finally(() => {
      opening = null;
    });
    return opening;
  }

  return {
    async send(messages) {
      const channel = await channelNow();
      for (const { id } of messages) returned.delete(id);
      await Promise.all(
        messages.map(({ queue, id, body, priority }) =>
          channel.basicPublish(
            {
              routingKey: names.queue(queue),
              durable: true,
              mandatory: true,
              messageId: id,
              priority: toRabbitmqPriority(priority),
              contentType: "text/plain",
            },
            body,
          ),
        ),
      );
      // The broker returns a message before it confirms it, but the library tells the return with `setImmediate`, and the confirm
      // at once. What it queued before this is told before this.
      await new Promise<void>((resolve) => setImmediate(resolve));
      return messages.filter(({ id }) => returned.delete(id));
    },
    async close() {
      await current?.close();
    },
  };
}
