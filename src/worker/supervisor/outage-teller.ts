import { type Logger, toError } from "../../platform/index.ts";
import { explainFault } from "./explain-fault.ts";

/** Errors that alternate are told no more often than this. */
const OTHER_ERROR_MS = 5_000;

/** Tells in the worker's own log of calls to the API that fail and are repeated: otherwise it would be silent while it waits. */
export type OutageTeller = {
  /** A call failed; it is repeated after `waitMs`. `what`: completes "the API cannot be reached to …". */
  failed(what: string, error: unknown, waitMs: number): void;
  /** The API answered a call. */
  reached(): void;
  /** The fault that lasts, explained; null = the API answered the last call. */
  fault(): string | null;
  /** The error's message, with its probable cause. */
  explain(error: unknown): string;
};

export type OutageTellerOptions = {
  /** The execution API. */
  url: string;
  /** The same fault is told again after this time. */
  everyMs: number;
  logger: Logger;
  now?: () => number;
};

/** The first failure of an outage is told at once, and each that differs from the last; the rest each `everyMs`. */
export function createOutageTeller({ url, everyMs, logger, now = Date.now }: OutageTellerOptions): OutageTeller {
  let outage: { sinceMs: number; toldMs: number; error: string; probably: string | null; failures: number } | null = null;
  return {
    failed(what, error, waitMs) {
      const { message } = toError(error);
      const nowMs = now();
      const isNew = outage?.error !== message;
      outage ??= { sinceMs: nowMs, toldMs: Number.NEGATIVE_INFINITY, error: "", probably: null, failures: 0 };
      outage.failures++;
      if (nowMs - outage.toldMs < (isNew ? Math.min(everyMs, OTHER_ERROR_MS) : everyMs)) return;
      Object.assign(outage, { toldMs: nowMs, error: message, probably: explainFault(url, error) });
      logger.warn(
        {
          url,
          error: message,
          ...(outage.probably === null ? {} : { probably: outage.probably }),
          failures: outage.failures,
          sinceSec: Math.round((nowMs - outage.sinceMs) / 1_000),
          nextTrySec: Math.round(waitMs / 100) / 10,
        },
        `the API cannot be reached to ${what}; trying again`,
      );
    },
    reached() {
      if (outage === null) return;
      const { sinceMs, failures } = outage;
      outage = null;
      logger.info({ url, failures, awaySec: Math.round((now() - sinceMs) / 1_000) }, "the API answers again");
    },
    fault: () => outage && withCause(outage.error, outage.probably),
    explain: (error) => withCause(toError(error).message, explainFault(url, error)),
  };
}

function withCause(message: string, probably: string | null): string {
  return probably === null ? message : `${message.replace(/\.$/, "")}; probably ${probably}`;
}
