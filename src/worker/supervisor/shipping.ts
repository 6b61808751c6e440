import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Connection, RunnerCalls } from "../../contracts/index.ts";
import { BaramError, type Logger, sleep } from "../../platform/index.ts";
import {
  createApiCarrier,
  createLogShipper,
  createS3Carrier,
  createS3Place,
  type LogCarrier,
  type LogShipper,
} from "../../task-logs/index.ts";
import { type ApiClient, isTransient } from "./api-client.ts";
import { type Attempt, forwardCall, isFirstStart } from "./attempt.ts";
import { createLogSender } from "./log-sender.ts";
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

type ShippingOptions = Pick<SupervisorOptions, "remoteLogs" | "logFolder" | "isLogFolderPrivate" | "logEndWindowSec">;

const BEFORE_END_MS = 1_000;

export function createShipping(options: ShippingOptions, client: ApiClient, logger: Logger): Shipping {
  const { remoteLogs, logFolder } = options;
  const send = createLogSender(client);
  const ending = new Set<Promise<void>>();
  /** Whose token fetches the connection, when S3 asks for it: the last one that began. */
  let asker: Attempt | null = null;
  const s3 =
    remoteLogs?.kind === "s3"
      ? createS3Place(remoteLogs.folder, remoteLogs.connId === null ? null : () => fetchConnection(remoteLogs.connId ?? ""))
      : null;

  async function fetchConnection(connId: string): Promise<Connection> {
    if (!asker) throw new Error("no try is running whose token would open a connection");
    const found = (await forwardCall(client, asker, "getConnection", { connId })) as RunnerCalls["getConnection"]["result"];
    if (found) return found;
    const message = `there is no connection "${connId}", which [logging] remote_log_conn_id names`;
    throw new BaramError("connection_not_found", message, { connId });
  }

  function carrierFor(attempt: Attempt): LogCarrier {
    const { workload } = attempt;
    const isAnew = isFirstStart(attempt);
    if (s3) return createS3Carrier(s3, workload.logPath, !isAnew);
    return createApiCarrier(
      (piece) => send(attempt.token, piece),
      (error) => !isTransient(error),
      isAnew,
    );
  }

  async function bringHome(shipper: LogShipper, path: string): Promise<void> {
    const lostBytes = await shipper.end(options.logEndWindowSec * 1_000);
    if (lostBytes > 0) logger.error({ path, lostBytes }, "the end of a log could not be brought to the log store");
    else if (remoteLogs?.kind === "s3" && remoteLogs.deleteLocal) await rm(join(logFolder, path), { force: true });
  }

  return {
    begin(attempt) {
      if (remoteLogs === null) return null;
      asker = attempt;
      const path = attempt.workload.logPath;
      return createLogShipper({
        file: join(logFolder, path),
        carrier: carrierFor(attempt),
        written: attempt.log.written,
        onFault: (error) => logger.warn({ path, error: error.message }, "a log could not be brought to the log store yet"),
      });
    },
    async beforeEnd({ log, shipper }) {
      // On its way to the disk while the end is on its way to the API.
      const flushed = log.flush();
      if (shipper && options.isLogFolderPrivate) await Promise.race([flushed.then(() => shipper.ship()), sleep(BEFORE_END_MS)]);
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
