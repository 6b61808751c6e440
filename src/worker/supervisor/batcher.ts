import { BATCH_ITEMS_MAX, BATCH_MAX_BYTES, type BatchAnswer, type BatchItem, type RunContext } from "../../contracts/index.ts";
import { sleep, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";
import { bearerOf } from "./bearer.ts";

/**
 * Sends starts and ends of tries to the API in batches. While one request is in flight, the next items are collected, so the busier
 * the supervisor, the larger the batches: an end and the start it makes room for share a round trip.
 */
export type Batcher = {
  /** Resolves with the context of the started try. Throws ApiRefusal if the try is not this worker's to start. */
  run(item: Omit<Extract<BatchItem, { op: "run" }>, "op">): Promise<RunContext>;
  /**
   * Resolves when the end is stored. `failed`: the reason if the API failed the try instead of finishing it as reported. `token`: for
   * the calls of its callbacks, if its task has any. Throws ApiRefusal if the try is no longer assigned to this worker.
   */
  finish(item: Omit<Extract<BatchItem, { op: "finish" }>, "op">): Promise<{ failed: string | null; token: string | null }>;
};

type Stored = { context?: RunContext | undefined; failed?: string | undefined; token?: string | undefined };
type Waiting = {
  id: string;
  isEnd: boolean;
  token: string;
  json: string;
  sizeBytes: number;
  resolve(stored: Stored): void;
  reject(error: Error): void;
};

/** What several items may have together: the rest of the API's limit is for what encloses them. An item that has more goes alone. */
const ROOM_BYTES = BATCH_MAX_BYTES - 1_024;
/**
 * A request in flight for longer counts as slow (a large XCom); the next one does not wait for it. Well above the latency of a busy
 * API: at 50 ms batches were split under load, which cost the queue executor 8 % of its rate.
 */
const SLOW_REQUEST_MS = 200;

/** An answer that is not of Baram's API, and not about the size or the token of what was sent. */
function isOfProxy(error: unknown): boolean {
  return error instanceof ApiRefusal && error.foreign !== null && error.status !== 413 && error.status !== 401;
}

export function createBatcher(client: ApiClient, options: { retryWindowMs: number; maxInFlight: number }): Batcher {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  /** Requests in flight that are not slow: at most one, so that items are collected meanwhile. */
  let prompt = 0;

  const add = (item: BatchItem) =>
    new Promise<Stored>((resolve, reject) => {
      const { id, token, op } = item;
      const json = JSON.stringify(item);
      waiting.push({ id, isEnd: op === "finish", token, json, sizeBytes: Buffer.byteLength(json), resolve, reject });
      // Not at once, so that items added in the same turn of the event loop are included.
      setImmediate(pump);
    });

  function pump(): void {
    while (waiting.length > 0 && prompt === 0 && inFlight < options.maxInFlight) {
      const batch = takeBatch();
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

  /** Always the first, and as many others as fit. */
  function takeBatch(): Waiting[] {
    let roomBytes = ROOM_BYTES;
    let count = 0;
    for (const { sizeBytes } of waiting) {
      roomBytes -= sizeBytes + 1;
      if (count > 0 && (roomBytes < 0 || count >= BATCH_ITEMS_MAX)) break;
      count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  /** Only a try's own token lets one through that is larger than a batch. */
  function bearerFor(batch: readonly Waiting[]): string | undefined {
    const [first] = batch;
    if (first && first.sizeBytes > ROOM_BYTES) return first.token;
    return bearerOf(
      batch.map(({ token }) => token),
      client.workerToken,
    );
  }

  async function sendBatch(all: readonly Waiting[]): Promise<void> {
    let batch = all;
    const deadline = Date.now() + options.retryWindowMs;
    let bearer = bearerFor(batch);
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await client.postJson<BatchAnswer>(
          "baram/batch",
          `{"items":[${batch.map(({ json }) => json).join(",")}]}`,
          bearer,
        );
        for (const [at, one] of batch.entries()) {
          const item = answer.items[at];
          if (item?.ok) one.resolve(item);
          else
            one.reject(
              item
                ? new ApiRefusal(item.status, item.code, item.message, { previousState: item.previousState })
                : new Error("the API's answer does not contain the try"),
            );
        }
        return;
      } catch (error) {
        if (error instanceof ApiRefusal && (error.status === 413 || error.status === 401) && batch.length > 1) {
          // Too large for the API, or for a proxy in front of it, or the bearer is not taken: split, so that only an item that is too
          // large by itself, or whose own token is not taken, is refused.
          const half = Math.ceil(batch.length / 2);
          await Promise.all([sendBatch(batch.slice(0, half)), sendBatch(batch.slice(half))]);
          return;
        }
        const [only] = batch;
        if (error instanceof ApiRefusal && error.status === 401 && only && bearer !== only.token) {
          bearer = only.token;
          continue;
        }
        if (isOfProxy(error) && batch.some(({ isEnd }) => isEnd) && Date.now() <= deadline) {
          // A proxy's "not found" may pass, as while the API is deployed anew. A start can be given back; an end would be lost.
          const starts = batch.filter(({ isEnd }) => !isEnd);
          for (const one of starts) one.reject(toError(error));
          batch = batch.filter(({ isEnd }) => isEnd);
        } else if (!isTransient(error) || Date.now() > deadline) {
          for (const one of batch) one.reject(toError(error));
          return;
        }
        const waitMs = Math.min(1_000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
        client.outage.failed("report starts and ends of tries", error, waitMs);
        // If the API started a try but its answer was lost, the try sends no heartbeat until the request is repeated: do not wait
        // long.
        await sleep(waitMs);
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
      const { failed = null, token = null } = await add({ op: "finish", ...item });
      return { failed, token };
    },
  };
}
