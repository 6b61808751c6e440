import type { Connection, RunnerCalls } from "../../contracts/index.ts";
import { BaramError, type Logger, sleep } from "../../platform/index.ts";
import {
  createApiCarrier,
  createLogShipper,
  createS3Carrier,
  createS3Place,
  type LogCarrier,
  type LogShipper,
  removeLog,
} from "../../task-logs/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";
import { type Attempt, forwardCall, isLogAnew } from "./attempt.ts";
import { createLogSender } from "./log-sender.ts";
import type { SupervisorOptions } from "./options.ts";

/** Ships the logs of a supervisor's tries to where they can be read when the worker is gone. */
export type Shipping = {
  /** The try has started; its token gives access to its log. null = logs are not shipped. */
  begin(attempt: Attempt): LogShipper | null;
  /**
   * Ships what is written so far before the try's end is reported, so that the log is there when the end is seen; waits only a
   * short time if it cannot.
   */
  beforeEnd(attempt: Attempt): Promise<void>;
  /** The log is complete. Resolves when it is in the file. */
  end(attempt: Attempt): Promise<void>;
  /** Resolves when all logs are shipped, or after `ms`. */
  settle(ms: number): Promise<void>;
};

type ShippingOptions = Pick<
  SupervisorOptions,
  "remoteLogs" | "logFolder" | "isLogFolderPrivate" | "logEndWindowSec" | "retryWindowSec"
>;

const BEFORE_END_MS = 1_000;

export function createShipping(options: ShippingOptions, client: ApiClient, logger: Logger): Shipping {
  const { remoteLogs, logFolder } = options;
  const windowMs = options.retryWindowSec * 1_000;
  const send = createLogSender(client);
  const ending = new Set<Promise<void>>();
  /** The tries whose tokens may fetch the S3 connection, the last one started at the end: one that has ended may not. */
  const askers = new Set<Attempt>();
  let known: Connection | null = null;
  const s3 =
    remoteLogs?.kind === "s3"
      ? createS3Place(remoteLogs.folder, remoteLogs.connId === null ? null : () => fetchConnection(remoteLogs.connId ?? ""))
      : null;

  async function fetchConnection(connId: string): Promise<Connection> {
    const asker = [...askers].findLast(({ state }) => state !== "over");
    if (!asker && known) return known;
    if (!asker) throw new Error("no try is running whose token could fetch the connection");
    try {
      const found = (await forwardCall(
        client,
        asker,
        "getConnection",
        { connId },
        windowMs,
      )) as RunnerCalls["getConnection"]["result"];
      if (found) {
        known = found;
        return found;
      }
    } catch (error) {
      // It ended meanwhile. What was fetched before may be older, but the rest of its log is to be shipped with it.
      if (known && error instanceof ApiRefusal && error.code === "try_not_running") return known;
      throw error;
    }
    const message = `there is no connection "${connId}", which [logging] remote_log_conn_id names`;
    throw new BaramError("connection_not_found", message, { connId });
  }

  function carrierFor(attempt: Attempt): LogCarrier {
    const { workload } = attempt;
    const isAnew = isLogAnew(attempt);
    if (s3) return createS3Carrier(s3, workload.logPath, !isAnew);
    return createApiCarrier(
      (piece) => send(attempt.token, piece),
      (error) => !isTransient(error),
      isAnew,
    );
  }

  async function bringHome(shipper: LogShipper, path: string): Promise<void> {
    const lostBytes = await shipper.end(options.logEndWindowSec * 1_000);
    if (lostBytes > 0) logger.error({ path, lostBytes }, "the end of a log could not be shipped to the log store");
    else if (remoteLogs?.kind === "s3" && remoteLogs.deleteLocal) await removeLog(logFolder, path);
  }

  return {
    begin(attempt) {
      if (remoteLogs === null) return null;
      askers.add(attempt);
      // At once, since the log's end is shipped when the try has ended, too late to fetch it.
      if (s3 && remoteLogs.kind === "s3" && remoteLogs.connId !== null && known === null)
        fetchConnection(remoteLogs.connId).catch(() => {});
      const path = attempt.workload.logPath;
      return createLogShipper({
        log: { folder: logFolder, path },
        carrier: carrierFor(attempt),
        written: attempt.log.written,
        onFault: (error) => logger.warn({ path, error: error.message }, "a log could not be shipped to the log store yet"),
      });
    },
    async beforeEnd({ log, shipper }) {
      // Flushed to disk while the end is sent to the API.
      const flushed = log.flush();
      if (shipper && options.isLogFolderPrivate) await Promise.race([flushed.then(() => shipper.ship()), sleep(BEFORE_END_MS)]);
    },
    end(attempt) {
      const flushed = attempt.log.flush();
      askers.delete(attempt);
      const { shipper, workload } = attempt;
      attempt.shipper = null;
      if (shipper) {
        // Registered at once: a draining worker may wait for it in the next turn.
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
