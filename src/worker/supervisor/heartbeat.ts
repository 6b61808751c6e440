import { HEARTBEAT_TRIES_MAX, type HeartbeatAnswer } from "../../contracts/index.ts";
import { type Logger, sleep, startInterval, toError } from "../../platform/index.ts";
import { isOwnRefusal } from "./api-answer.ts";
import type { ApiClient } from "./api-client.ts";
import type { Attempt } from "./attempt.ts";
import { bearerOf } from "./bearer.ts";

export type HeartbeatOptions = {
  client: ApiClient;
  logger: Logger;
  sec: number;
  /** Failures in a row after which the running tries are stopped; 0 = only `outageSec` counts. */
  maxFailed: number;
  /** How long the running tries go on while no heartbeat is delivered. */
  outageSec: number;
  running(): Attempt[];
  /** The API says that the try is no longer assigned to this worker. `why`: the reason that is stored, if there is one. */
  onLost(attempt: Attempt, why: string | null): void;
  /** An outage of the API began, or is over. */
  onOutage(attempt: Attempt, error: string | null): void;
  /** It has lasted for too long. */
  onUnreachable(attempt: Attempt, forSec: number): void;
};

/** The reason is only for the log, so the try is not kept running for it any longer. */
const ASK_WHY_MS = 2_000;

/** Why a try is no longer assigned to this worker; null if no reason is stored, or the API does not answer in time. */
export async function askWhyLost(client: ApiClient, { id, token }: Attempt): Promise<string | null> {
  const asked = client.post<HeartbeatAnswer>("baram/heartbeat", { tries: [{ id, token }] }, token).catch(() => null);
  const answer = await Promise.race([asked, sleep(ASK_WHY_MS).then(() => null)]);
  return answer?.reasons?.[id] ?? null;
}

/** Far more than a usual supervisor runs; with ids of the greatest length these tries are half of what the API takes. */
const TRIES_AT_ONCE = HEARTBEAT_TRIES_MAX / 2;

/** One that fails may have met a restart of the API, of which nobody needs to hear. */
const OUTAGE_BEATS = 2;

/**
 * Reports all running tries every `sec`, in one call unless there are very many, and stores renewed tokens from the answer. An outage
 * of the API is not the fault of a try: it goes on, for as long as the scheduler allows for that.
 */
export function startHeartbeat(options: HeartbeatOptions): { stop(): void } {
  let failed = 0;
  /** When the last delivered beat, and the first of those that failed since, were sent, by `performance.now()`. */
  let deliveredAt = Number.NEGATIVE_INFINITY;
  let failingAt = 0;

  async function beat(): Promise<void> {
    const running = options.running();
    if (running.length === 0) return;
    const sentAt = performance.now();
    try {
      for (let at = 0; at < running.length; at += TRIES_AT_ONCE) await report(running.slice(at, at + TRIES_AT_ONCE));
      onDelivered(sentAt);
    } catch (error) {
      // The API's own 503: it is up but its database is not. No try can have been reassigned meanwhile, so the tasks go on. That of a
      // proxy says that there is no API behind it.
      if (isOwnRefusal(error) && error.status === 503) return;
      // A later one was delivered: it is the slow answer to this one that was lost.
      if (sentAt > deliveredAt) onFailed(sentAt, toError(error).message);
    }
  }

  function onDelivered(sentAt: number): void {
    deliveredAt = Math.max(deliveredAt, sentAt);
    if (failed > 0) options.logger.info({ failed }, "heartbeats are delivered again");
    if (failed >= OUTAGE_BEATS) for (const attempt of options.running()) options.onOutage(attempt, null);
    failed = 0;
  }

  function onFailed(sentAt: number, error: string): void {
    if (failed++ === 0) failingAt = sentAt;
    // Ever more seldom: a long outage does not fill the log.
    if (Number.isInteger(Math.log2(failed))) options.logger.warn({ error, failed }, "a heartbeat failed");
    if (failed === OUTAGE_BEATS) for (const attempt of options.running()) options.onOutage(attempt, error);
    const forSec = (performance.now() - failingAt) / 1_000;
    const isTooLong = forSec >= options.outageSec || (options.maxFailed > 0 && failed >= options.maxFailed);
    if (isTooLong) for (const attempt of options.running()) options.onUnreachable(attempt, forSec);
  }

  async function report(running: readonly Attempt[]): Promise<void> {
    const tries = running.map(({ id, token }) => ({ id, token }));
    const sent = new Map(tries.map(({ id, token }) => [id, token]));
    const bearer = bearerOf([...sent.values()], options.client.workerToken);
    const answer = await options.client.post<HeartbeatAnswer>("baram/heartbeat", { tries }, bearer);
    for (const { id, token } of answer.running) {
      const attempt = running.find((one) => one.id === id);
      // Its end may have been stored meanwhile, and then it has the token of its callbacks.
      if (attempt && token && attempt.token === sent.get(id)) attempt.token = token;
    }
    // A try may have ended while the heartbeat was in flight.
    for (const attempt of options.running())
      if (answer.lost.includes(attempt.id)) options.onLost(attempt, answer.reasons?.[attempt.id] ?? null);
  }

  const timer = startInterval(options.sec * 1_000, () => void beat());
  return { stop: timer.cancel };
}
