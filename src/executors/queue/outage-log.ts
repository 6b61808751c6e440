import type { Logger } from "../../platform/index.ts";

export type OutageLog = {
  /** `who`: a connection. Further calls for it, and for other connections, belong to the same outage. */
  away(who: object, error: string): void;
  back(who: object): void;
  /** The connection is not used any more. */
  forget(who: object): void;
};

/**
 * Logs one line when the first of a broker's connections is away, and one when all are back: clients retry several times a second,
 * and a worker has several connections.
 */
export function createOutageLog(broker: string, logger: Logger): OutageLog {
  const missing = new Set<object>();
  let isTold = false;
  const tellBack = () => {
    if (isTold && missing.size === 0) logger.info({ broker }, "the broker is back");
    if (missing.size === 0) isTold = false;
  };
  return {
    away(who, error) {
      if (!isTold) logger.warn({ broker, error }, "the broker is away");
      isTold = true;
      missing.add(who);
    },
    back(who) {
      if (missing.delete(who)) tellBack();
    },
    forget(who) {
      // The last one leaves: nobody knows whether the broker is back.
      if (missing.delete(who) && missing.size === 0) isTold = false;
    },
  };
}
