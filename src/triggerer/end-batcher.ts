import { isDatabaseAway, type Logger, sleep, toError } from "../platform/index.ts";
import type { EndedTrigger } from "./contract.ts";

/** The most ends of one statement. */
const BATCH_MAX = 500;

export type EndBatcher = {
  add(end: EndedTrigger): void;
  /** Resolves when all added ends are stored or refused. */
  flush(): Promise<void>;
};

/**
 * Writes the ends of triggers in batches: ends that arrive while a batch is written go with the next. `fire` is retried until it
 * succeeds; a batch that it refuses is sent one by one, so that a single bad end does not block the others.
 */
export function createEndBatcher(
  fire: (ends: readonly EndedTrigger[]) => Promise<readonly number[]>,
  on: {
    stored(ends: readonly EndedTrigger[], firedIds: ReadonlySet<number>): void;
    refused(end: EndedTrigger, error: Error): void;
  },
  options: { isTransient(error: unknown): boolean; retryMs: number; logger: Logger },
): EndBatcher {
  const waiting: EndedTrigger[] = [];
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    // A short delay to collect triggers that end together, such as timers of the same instant.
    await sleep(2);
    while (waiting.length > 0) await send(waiting.splice(0, BATCH_MAX));
    writing = null;
  }

  async function send(batch: readonly EndedTrigger[]): Promise<void> {
    for (;;) {
      try {
        return on.stored(batch, new Set(await fire(batch)));
      } catch (error) {
        if (!options.isTransient(error)) return refuse(batch, toError(error));
        if (!isDatabaseAway(error))
          options.logger.warn(
            { error: toError(error).message, ends: batch.length },
            "events of triggers cannot be stored yet; trying again",
          );
        await sleep(options.retryMs);
      }
    }
  }

  async function refuse(batch: readonly EndedTrigger[], error: Error): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only) return on.refused(only, error);
    for (const one of batch) await send([one]);
  }

  return {
    add(end) {
      waiting.push(end);
      writing ??= write();
    },
    async flush() {
      while (writing !== null) await writing;
    },
  };
}
