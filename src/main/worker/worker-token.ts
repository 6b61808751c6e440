/**
 * A queue worker's own token, which ends while the worker lives:
 * - good: the worker takes tasks. Left shortly before its end by this machine's clock, or when the API does not take it. Then a report
 *   goes out with it each minute: it is good again when the API takes it, whose secret or clock may have been wrong for a while.
 * - over: nothing is taken and nothing can be asked of the worker, since both need the token; running tasks go on with their own. The
 *   log says so each minute with the remedy. Left by a new token in the file of BARAM__WORKERS__TOKEN_FILE, which is read again each
 *   time.
 * No call gets a worker a new token: it would make a stolen one endless.
 */
import { readFileSync } from "node:fs";
import { type Logger, TOKEN_MAX_CHARS } from "../../platform/index.ts";
import { tokenEndSec } from "../../worker/supervisor/index.ts";

export type WorkerToken = {
  /** For a call; null if its end has come. */
  current(): string | null;
  /** As `current`, for a report; each minute also one that the API did not take. */
  forReport(): string | null;
  /** The API took this token. */
  accepted(token: string): void;
  /** Whether tasks may be taken with it. */
  isGood(): boolean;
  /** The API did not take this token. One that is not the current one any more is of no interest. */
  refused(token: string | null): void;
  /** Called again and again: looks at the clock and at the file. */
  look(): void;
};

export type WorkerTokenOptions = {
  token: string;
  /** The worker's. */
  name: string;
  /** The file that it was read from; null = it was given otherwise, and is good until the worker is started again. */
  path: string | null;
  /** The token became good or is over. */
  onChange(isGood: boolean): void;
  logger: Logger;
  now?: () => number;
};

/** What is taken is started at once; more than a clock of the API server may be ahead of this one. */
const STOP_BEFORE_END_MS = 10_000;
const TELL_EVERY_MS = 60_000;
const ASK_EVERY_MS = 60_000;
/** Before its end a warning is told each day, from this time on or from a tenth of its remaining life. */
const WARN_BEFORE_MS = 7 * 86_400_000;
const WARN_EVERY_MS = 86_400_000;

export function createWorkerToken(options: WorkerTokenOptions): WorkerToken {
  const { name, path, logger, now = Date.now } = options;
  let token = options.token;
  let endMs = tokenEndSec(token) * 1_000;
  let warnFromMs = warnFrom(endMs, now());
  let isRefused = false;
  let askedMs = 0;
  let wasGood = true;
  let toldMs = Number.NEGATIVE_INFINITY;
  /** What the file last contained that is no new token. */
  let useless = "";

  /** Without an end it is of an unknown form: the API judges it. */
  const isBefore = (ms: number) => endMs === 0 || now() < ms;
  const isGood = () => !isRefused && isBefore(endMs - STOP_BEFORE_END_MS);

  const remedy =
    path === null
      ? `restart the worker with it (BARAM__WORKERS__TOKEN). A token from a file that BARAM__WORKERS__TOKEN_FILE names is read again without a restart`
      : `write it into ${path}, which is read again (or: baram worker token --renew ${path})`;
  const how = `Make a new one where Baram's API server runs, with \`baram worker token --name ${name}\`, and ${remedy}.`;

  function readAgain(): void {
    if (path === null) return;
    const text = readToken(path);
    if (text === token || text === useless) return;
    const end = tokenEndSec(text) * 1_000;
    if (end - STOP_BEFORE_END_MS <= now()) {
      useless = text;
      if (text !== "") logger.error({ path }, "the file of the worker's token has changed, and contains none that is valid now");
      return;
    }
    [token, endMs, warnFromMs, isRefused, useless] = [text, end, warnFrom(end, now()), false, ""];
    toldMs = Number.NEGATIVE_INFINITY;
    logger.info({ path, ends: new Date(endMs).toISOString() }, "the worker has a new token");
  }

  function tell(): void {
    const sinceMs = now() - toldMs;
    if (!isGood() && sinceMs >= TELL_EVERY_MS) {
      const what = isRefused ? "the API does not take the worker's token any more" : "the worker's token has ended";
      logger.error(
        { ends: endText(endMs) },
        `${what}: the worker takes no tasks, and cannot be asked to stop, until it has another; running tasks go on. ${how}`,
      );
      toldMs = now();
    } else if (isGood() && !isBefore(warnFromMs) && sinceMs >= WARN_EVERY_MS) {
      logger.warn({ ends: endText(endMs) }, `the worker's token ends soon; the worker then takes no more tasks. ${how}`);
      toldMs = now();
    }
  }

  function settle(): void {
    const good = isGood();
    if (good !== wasGood) {
      wasGood = good;
      toldMs = Number.NEGATIVE_INFINITY;
      options.onChange(good);
    }
    tell();
  }

  return {
    current: () => (!isRefused && isBefore(endMs) ? token : null),
    forReport() {
      if (!isBefore(endMs)) return null;
      if (isRefused && now() - askedMs < ASK_EVERY_MS) return null;
      askedMs = now();
      return token;
    },
    accepted(one) {
      if (one !== token || !isRefused) return;
      isRefused = false;
      logger.info({}, "the API takes the worker's token again");
      settle();
    },
    isGood,
    refused(one) {
      if (one !== token) return;
      if (!isRefused) askedMs = now();
      isRefused = true;
      settle();
    },
    look() {
      readAgain();
      settle();
    },
  };
}

/** A token that is short-lived anyway is warned of in its last tenth only. */
function warnFrom(endMs: number, nowMs: number): number {
  return endMs - Math.min(WARN_BEFORE_MS, Math.max(0, endMs - nowMs) / 10);
}

const endText = (endMs: number) => (endMs > 0 ? new Date(endMs).toISOString() : "unknown");

/** "" if it cannot be read now, e.g. while it is replaced. */
function readToken(path: string): string {
  try {
    const text = readFileSync(path, "utf8").trim();
    return text.length > TOKEN_MAX_CHARS ? "" : text;
  } catch {
    return "";
  }
}
