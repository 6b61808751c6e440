/**
 * Drains one SQS queue by long polling, beside the scheduler's loop, for as long as there is something to wait for. A message is:
 * - ours: handled, and only then deleted;
 * - another scheduler's: put back at once, and this one holds off for a while, longer each time, so that two do not throw it to and fro;
 * - nobody's: so old that its try has long been settled by heartbeats, or broken. Deleted.
 */
import type { Message } from "@aws-sdk/client-sqs";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { faultOf } from "../aws/fault-of.ts";
import { tryRenew } from "../aws/renewable-client.ts";
import type { InvocationResult } from "./invocation.ts";
import type { LambdaApi } from "./lambda-api.ts";

export type ReceiverOptions = {
  api: () => LambdaApi;
  queueUrl: string;
  read(message: Message): InvocationResult | null;
  /** Whether anything is out that may be answered. */
  isWaiting(): boolean;
  /** false: it is not ours. */
  handle(result: InvocationResult): boolean;
  /** A message that nobody has known for so long is nobody's. */
  nobodysAfterMs: number;
  logger: Logger;
};
export type ResultReceiver = {
  /** There is something to wait for. */
  wake(): void;
  close(): Promise<void>;
};

const BATCH = 10;
/** A queue that keeps giving full batches is read by so many at once. */
const RECEIVERS_MAX = 4;
const HOLD_OFF_MS = 250;
const HOLD_OFF_MAX_MS = 5_000;

export function createResultReceiver(options: ReceiverOptions): ResultReceiver {
  const { api, queueUrl, logger } = options;
  const closing = new AbortController();
  const open = new Set<Promise<void>>();
  let foreignInARow = 0;
  let faults = 0;

  function startOne(isExtra: boolean): void {
    if (closing.signal.aborted || open.size >= (isExtra ? RECEIVERS_MAX : 1)) return;
    const one = receive(isExtra).finally(() => {
      open.delete(one);
      // Something may have come between the last look and here.
      if (open.size === 0 && options.isWaiting()) startOne(false);
    });
    open.add(one);
  }

  async function receive(isExtra: boolean): Promise<void> {
    while (options.isWaiting() && !closing.signal.aborted) {
      let messages: Message[] = [];
      try {
        messages = await api().receive(queueUrl, closing.signal);
        await sort(messages);
        if (faults > 0) logger.info({ queueUrl }, "the result queue can be read again");
        faults = 0;
      } catch (error) {
        if (closing.signal.aborted) return;
        await holdOffAfter(error);
      }
      if (messages.length === BATCH) startOne(true);
      else if (isExtra) return;
      if (foreignInARow > 0)
        await sleep(
          Math.min(HOLD_OFF_MAX_MS, HOLD_OFF_MS * 2 ** (foreignInARow - 1)) * (0.5 + Math.random() / 2),
          closing.signal,
        );
    }
  }

  async function sort(messages: readonly Message[]): Promise<void> {
    const done: string[] = [];
    const foreign: string[] = [];
    for (const message of messages) {
      const receipt = message.ReceiptHandle;
      if (receipt === undefined) continue;
      const result = options.read(message);
      if (!result) {
        logger.warn(
          { queueUrl, messageId: message.MessageId },
          "a message in the result queue is not one of a function's; it is deleted",
        );
        done.push(receipt);
      } else if (options.handle(result) || isNobodys(message)) done.push(receipt);
      else foreign.push(receipt);
    }
    foreignInARow = foreign.length > 0 && done.length === 0 ? foreignInARow + 1 : 0;
    if (foreign.length > 0) await api().putBack(queueUrl, foreign);
    if (done.length > 0) await api().remove(queueUrl, done);
  }

  function isNobodys(message: Message): boolean {
    const sentMs = Number(message.Attributes?.SentTimestamp ?? Number.NaN);
    if (!(Date.now() - sentMs > options.nobodysAfterMs)) return false;
    logger.debug({ queueUrl, messageId: message.MessageId }, "a result that no scheduler waits for is deleted");
    return true;
  }

  async function holdOffAfter(error: unknown): Promise<void> {
    const fault = faultOf(error);
    if (fault.kind === "credentials") await tryRenew(api(), logger);
    if (faults++ === 0)
      logger.error({ queueUrl, error: toError(error).message }, "the result queue cannot be read; it is tried again");
    await sleep(Math.min(HOLD_OFF_MAX_MS, HOLD_OFF_MS * 2 ** Math.min(faults, 10)) * (0.5 + Math.random() / 2), closing.signal);
  }

  return {
    wake: () => startOne(false),
    async close() {
      closing.abort();
      await Promise.all(open);
    },
  };
}
