import type { BatchAnswer, BatchItem, RunContext } from "../../contracts/index.ts";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";

/**
 * Starts and ends of tries on their way to the API. While one request is under way the next items gather, so the busier
 * the supervisor, the larger the batches: an end and the start it makes room for share a round trip.
 */
export type Batcher = {
  /** Resolves with the context of the started try. Throws ApiRefusal when the try is not ours to start. */
  run(item: Omit<Extract<BatchItem, { op: "run" }>, "op">): Promise<RunContext>;
  /**
   * Resolves when the end is stored, with the reason where the API has failed the try instead of ending it as reported, else null.
   * Throws ApiRefusal when the try was no longer ours to end.
   */
  finish(item: Omit<Extract<BatchItem, { op: "finish" }>, "op">): Promise<string | null>;
};

type Stored = { context?: RunContext | undefined; failed?: string | undefined };
type Waiting = { item: BatchItem; resolve(stored: Stored): void; reject(error: Error): void };

const BATCH_MAX = 200;
/**
 * A request under way for longer is slow (a large XCom); then the next does not wait for it. Well above what a busy API takes: at 50 ms
 * batches were cut in two when there was most to do, which cost the queue executor 8 % of its rate.
 */
const SLOW_REQUEST_MS = 200;

export function createBatcher(
  client: ApiClient,
  logger: Logger,
  options: { retryWindowMs: number; maxInFlight: number },
): Batcher {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  /** Of those in flight, the ones that are not slow: at most one, so that what comes meanwhile gathers. */
  let prompt = 0;

  const add = (item: BatchItem) =>
    new Promise<Stored>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Not at once: what this turn of the event loop still brings goes along.
      setImmediate(pump);
    });

  function pump(): void {
    while (waiting.length > 0 && prompt === 0 && inFlight < options.maxInFlight) {
      const batch = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      inFlight++;
      prompt++;
      const slow = setTimeout(() => {
        prompt--;
        isSlow = true;
        pump();
      }, SLOW_REQUEST_MS);
      let isSlow = false;
      void sendBatch(batch).finally(() => {
        clearTimeout(slow);
        if (!isSlow) prompt--;
        inFlight--;
        pump();
      });
    }
  }

  async function sendBatch(batch: readonly Waiting[]): Promise<void> {
    const deadline = Date.now() + options.retryWindowMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await client.post<BatchAnswer>("baram/batch", { items: batch.map(({ item }) => item) });
        const byId = new Map(answer.items.map((item) => [item.id, item]));
        for (const one of batch) {
          const item = byId.get(one.item.id);
          if (item?.ok) one.resolve(item);
          else
            one.reject(
              item
                ? new ApiRefusal(item.status, item.code, item.message, { previousState: item.previousState })
                : new Error("the API left the try out of its answer"),
            );
        }
        return;
      } catch (error) {
        if (!isTransient(error) || Date.now() > deadline) {
          for (const one of batch) one.reject(toError(error));
          return;
        }
        if (attempt === 0) logger.warn({ error: toError(error).message }, "the API cannot be reached; trying again");
        // A try that the API has started while its answer was lost sends no heartbeat until it is asked for again: do not wait long.
        await sleep(Math.min(1_000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2));
      }
    }
  }

  return {
    async run(item) {
      const { context } = await add({ op: "run", ...item });
      if (!context) throw new Error("the API started the try but sent no context");
      return context;
    },
    async finish(item) {
      return (await add({ op: "finish", ...item })).failed ?? null;
    },
  };
}
