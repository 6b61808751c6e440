/**
 * Drains one SQS queue by long polling, outside of the scheduler's loop, while there are results to wait for. Each message is handled
 * by whoever receives it, also if it is of a try that another scheduler invoked, and then deleted. None is returned to the queue:
 * returned messages, and those of dead schedulers, would come again before newer ones. If a message cannot be handled now, SQS
 * delivers it again after its visibility timeout.
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
  /** Returns which of them are done with; the others are delivered again later. */
  handle(results: readonly InvocationResult[]): Promise<Set<InvocationResult>>;
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
        await handle(messages);
        if (faults > 0) logger.info({ queueUrl }, "the result queue can be read again");
        faults = 0;
      } catch (error) {
        if (closing.signal.aborted) return;
        await holdOffAfter(error);
      }
      if (messages.length === BATCH) startOne(true);
      else if (isExtra) return;
    }
  }

  async function handle(messages: readonly Message[]): Promise<void> {
    const done: string[] = [];
    const receipts = new Map<InvocationResult, string>();
    for (const message of messages) {
      const receipt = message.ReceiptHandle;
      if (receipt === undefined) continue;
      const result = options.read(message);
      if (result) receipts.set(result, receipt);
      else {
        logger.warn(
          { queueUrl, messageId: message.MessageId },
          "a message in the result queue is not a function's result; it is deleted",
        );
        done.push(receipt);
      }
    }
    const handled = await options.handle([...receipts.keys()]);
    for (const [result, receipt] of receipts) if (handled.has(result)) done.push(receipt);
    if (done.length > 0) await api().remove(queueUrl, done);
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
