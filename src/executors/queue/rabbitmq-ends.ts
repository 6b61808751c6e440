import type { Channel, Connection } from "rabbitmq-client";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { endsExchange, lookUpQueue, type Notice, onChannel, openChannel, readNotice } from "./rabbitmq-channels.ts";
import type { RabbitmqNames } from "./rabbitmq-names.ts";
import { within } from "./within.ts";

/**
 * A scheduler's queue of acknowledged ids is deleted after this long without its scheduler, which then treats its messages as lost.
 */
const ENDS_EXPIRE_MS = 3_600_000;
const RETRY_MS = 200;

type Watching = {
  connection: Connection;
  names: RabbitmqNames;
  queue: string;
  timeoutMs: number;
  onNotice(notice: Notice): void;
  /** The queue was gone: notices may have been missed. */
  onGap(): void;
  logger: Logger;
};

export type Ends = {
  /** Binds the queue again: nothing tells that its binding is gone, with its exchange. */
  bindAgain(): Promise<void>;
  close(): Promise<void>;
};

/** Consumes a scheduler's queue of notices across outages, and after the queue was deleted. */
export async function watchEndsQueue({ connection, names, queue, timeoutMs, onNotice, onGap, logger }: Watching): Promise<Ends> {
  let isClosed = false;
  let isOpening = false;
  let current: Channel | null = null;

  async function open(): Promise<void> {
    const channel = await openChannel(connection, logger);
    try {
      await bind(channel);
      channel.on("basic.cancel", () => {
        logger.warn({ queue }, "the queue with the ends of tasks was deleted; it is declared again");
        void channel.close();
      });
      await channel.basicConsume({ queue, noAck: true }, (message) => onNotice(readNotice(String(message.body))));
      channel.on("close", () => void openAgain());
      current = channel;
    } catch (error) {
      if (channel.active) void channel.close();
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

  async function openAgain(): Promise<void> {
    if (isOpening) return;
    isOpening = true;
    let failures = 0;
    for (; !isClosed; await sleep(RETRY_MS)) {
      try {
        const isGone = (await lookUpQueue(connection, timeoutMs, queue)) === null;
        await open();
        // Only now: what is published again has its end told.
        if (isGone) onGap();
        if (failures > 0) logger.info({ queue }, "the ends of tasks are read again");
        break;
      } catch (error) {
        if (failures++ === 0) logger.warn({ queue, error: toError(error).message }, "the ends of tasks cannot be read; retrying");
      }
    }
    isOpening = false;
  }

  await open();
  return {
    bindAgain: () => onChannel(connection, timeoutMs, bind),
    async close() {
      isClosed = true;
      const channel = current;
      if (!channel?.active) return;
      await within(channel.queueDelete({ queue }), 1_000, "closing").catch(() => {});
      await within(channel.close(), 1_000, "closing").catch(() => {});
    },
  };
}
