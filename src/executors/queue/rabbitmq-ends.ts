import { randomUUID } from "node:crypto";
import type { Channel, Connection } from "rabbitmq-client";
import type { Logger } from "../../platform/index.ts";
import { within } from "../within.ts";
import {
  createReopening,
  endsExchange,
  lookUpQueue,
  type Notice,
  onChannel,
  openChannel,
  readNotice,
  toEnds,
  writePing,
} from "./rabbitmq-channels.ts";
import type { RabbitmqNames } from "./rabbitmq-names.ts";

/**
 * A scheduler's queue of acknowledged ids is deleted after this long without its scheduler, which then treats its messages as lost.
 */
const ENDS_EXPIRE_MS = 3_600_000;

type Watching = {
  connection: Connection;
  names: RabbitmqNames;
  queue: string;
  timeoutMs: number;
  onNotice(notice: Exclude<Notice, { ping: string }>): void;
  /** The queue was gone: notices may have been missed. */
  onGap(): void;
  logger: Logger;
};

export type Ends = {
  /**
   * Publishes a word to itself, and finds out whether the last one arrived: nothing else tells that the queue's binding is gone,
   * with its exchange.
   */
  check(): Promise<void>;
  close(): Promise<void>;
};

/** Consumes a scheduler's queue of notices across outages, and after the queue was deleted. */
export async function watchEndsQueue({ connection, names, queue, timeoutMs, onNotice, onGap, logger }: Watching): Promise<Ends> {
  let isClosed = false;
  let current: Channel | null = null;
  let unheard: string | null = null;

  async function open(): Promise<void> {
    const channel = await openChannel(connection, logger);
    try {
      await bind(channel);
      channel.on("basic.cancel", () => {
        logger.warn({ queue }, "the queue with the ends of tasks was deleted; it is declared again");
        void channel.close().catch(() => {});
      });
      await channel.basicConsume({ queue, noAck: true }, (message) => {
        const notice = readNotice(String(message.body));
        if (!("ping" in notice)) onNotice(notice);
        else if (notice.ping === unheard) unheard = null;
      });
      channel.on("close", () => void openAgain());
      current = channel;
    } catch (error) {
      if (channel.active) void channel.close().catch(() => {});
      throw error;
    }
    // It was closed before anybody listened.
    if (!channel.active) throw new Error("the channel was closed at once");
  }

  async function bind(channel: Channel): Promise<void> {
    await channel.exchangeDeclare(endsExchange(names));
    await channel.queueDeclare({ queue, durable: true, arguments: { "x-expires": ENDS_EXPIRE_MS } });
    await channel.queueBind({ queue, exchange: names.ends });
  }

  const openAgain = createReopening({
    async open() {
      const isGone = (await lookUpQueue(connection, timeoutMs, queue)) === null;
      await open();
      unheard = null;
      // Only now: what is published again has its end told.
      if (isGone) onGap();
    },
    isOver: () => isClosed,
    logger,
    facts: () => ({ queue }),
    failing: "the ends of tasks cannot be read; retrying",
    again: "the ends of tasks are read again",
  });

  await open();
  return {
    async check() {
      if (unheard !== null) {
        logger.warn({ queue }, "the ends of tasks do not arrive; their queue is bound again");
        await onChannel(connection, timeoutMs, bind);
        onGap();
      }
      const ping = randomUUID();
      unheard = ping;
      await onChannel(connection, timeoutMs, async (channel) => {
        await channel.exchangeDeclare(endsExchange(names));
        await channel.basicPublish(toEnds(names), writePing(ping));
      });
    },
    async close() {
      isClosed = true;
      const channel = current;
      if (!channel?.active) return;
      await within(channel.queueDelete({ queue }), 1_000, "closing").catch(() => {});
      await within(channel.close(), 1_000, "closing").catch(() => {});
    },
  };
}
