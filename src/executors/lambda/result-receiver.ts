/**
 * Drains one SQS queue by long polling, outside of the scheduler's loop, while there are results to wait for. A message is:
 * - ours: handled, and only then deleted;
 * - another scheduler's: returned at once; this receiver then pauses, longer each time, so that two schedulers do not pass it back
 *   and forth;
 * - nobody's: malformed, or so old that its try has long been settled by heartbeats. Deleted.
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
  /** Whether results are expected. */
  isWaiting(): boolean;
  /** false: it is not ours. */
  handle(result: InvocationResult): boolean;
  /** After this time an unknown message counts as nobody's. */
  nobodysAfterMs: number;
  logger: Logger;
};
export type ResultReceiver = {
  /** Results are expected from now on. */
  wake(): void;
  close(): Promise<void>;
};

const BATCH = 10;
/** Concurrent receives while the queue returns full batches. */
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
      // A result may be expected again by now.
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
          "a message in the result queue is not a function's result; it is deleted",
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
    logger.debug({ queueUrl, messageId: message.MessageId }, "deleted a result that no scheduler waits for");
    return true;
  }

  async function holdOffAfter(error: unknown): Promise<void> {
    const fault = faultOf(error);
    if (fault.kind === "credentials") await tryRenew(api(), logger);
    if (faults++ === 0) logger.error({ queueUrl, error: toError(error).message }, "the result queue cannot be read; retrying");
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
