import { join } from "node:path";
import { type Logger, sleep } from "../../platform/index.ts";
import { createApiCarrier, createLogShipper, type LogPiece, type LogShipper } from "../../task-logs/index.ts";
import { type ApiClient, isTransient } from "./api-client.ts";
import type { Attempt } from "./attempt.ts";
import type { SupervisorOptions } from "./options.ts";

/** Brings the logs of a supervisor's tries to where they can be read when the worker is gone. */
export type Shipping = {
  /** The try runs, under a token that opens its log. null = logs stay here. */
  begin(attempt: Attempt): LogShipper | null;
  /** What is written so far goes ahead of the try's end, so that who sees the end finds the log; not for long if it cannot. */
  beforeEnd(attempt: Attempt): Promise<void>;
  /** Nobody writes to the log any more. Resolves when it is in the file. */
  end(attempt: Attempt): Promise<void>;
  /** Resolves when all logs are there, or after `ms`. */
  settle(ms: number): Promise<void>;
};

const BEFORE_END_MS = 1_000;
/** How long a store may be away when a log is complete; what is missing then is lost with the worker. */
const END_WINDOW_MS = 60_000;

export function createShipping(
  { remoteLogs, logFolder }: Pick<SupervisorOptions, "remoteLogs" | "logFolder">,
  client: ApiClient,
  logger: Logger,
): Shipping {
  const ending = new Set<Promise<void>>();

  async function bringHome(shipper: LogShipper, path: string): Promise<void> {
    const lostBytes = await shipper.end(END_WINDOW_MS);
    if (lostBytes > 0) logger.error({ path, lostBytes }, "the end of a log could not be brought to the log store");
  }

  return {
    begin(attempt) {
      if (remoteLogs === null) return null;
      const { logPath } = attempt.workload;
      const send = (piece: LogPiece) => client.post<{ received: number }>("baram/logs", piece, attempt.token);
      return createLogShipper({
        file: join(logFolder, logPath),
        carrier: createApiCarrier(send, (error) => !isTransient(error)),
        onFault: (error) =>
          logger.warn({ path: logPath, error: error.message }, "a log could not be brought to the log store yet"),
      });
    },
    async beforeEnd({ log, shipper }) {
      // On its way to the disk while the end is on its way to the API.
      const flushed = log.flush();
      if (shipper) await Promise.race([flushed.then(() => shipper.ship()), sleep(BEFORE_END_MS)]);
    },
    end(attempt) {
      const flushed = attempt.log.flush();
      const { shipper, workload } = attempt;
      attempt.shipper = null;
      if (shipper) {
        // Counted from this moment on: a worker that drains may ask in the next.
        const one = flushed.then(() => bringHome(shipper, workload.logPath)).finally(() => ending.delete(one));
        ending.add(one);
      }
      return flushed;
    },
    async settle(ms) {
      if (ending.size > 0) await Promise.race([Promise.all(ending), sleep(ms)]);
    },
  };
}
