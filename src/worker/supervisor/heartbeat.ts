import { HEARTBEAT_TRIES_MAX, type HeartbeatAnswer } from "../../contracts/index.ts";
import { type Logger, sleep, startInterval, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal } from "./api-client.ts";
import type { Attempt } from "./attempt.ts";
import { bearerOf } from "./bearer.ts";

export type HeartbeatOptions = {
  client: ApiClient;
  logger: Logger;
  sec: number;
  /** Failures in a row after which the running tries are stopped. */
  maxFailed: number;
  running(): Attempt[];
  /** The API says that the try is no longer assigned to this worker. `why`: the reason that is stored, if there is one. */
  onLost(attempt: Attempt, why: string | null): void;
  onUnreachable(attempt: Attempt, failed: number): void;
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

/** Reports all running tries every `sec`, in one call unless there are very many, and stores renewed tokens from the answer. */
export function startHeartbeat(options: HeartbeatOptions): { stop(): void } {
  let failed = 0;

  async function beat(): Promise<void> {
    const running = options.running();
    if (running.length === 0) return;
    try {
      for (let at = 0; at < running.length; at += TRIES_AT_ONCE) await report(running.slice(at, at + TRIES_AT_ONCE));
      failed = 0;
    } catch (error) {
      // 503: the API is up but its database is not. No try can have been reassigned meanwhile, so the tasks go on.
      if (error instanceof ApiRefusal && error.status === 503) return;
      failed++;
      options.logger.warn({ error: toError(error).message, failed }, "a heartbeat failed");
      if (failed >= options.maxFailed) for (const attempt of options.running()) options.onUnreachable(attempt, failed);
    }
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
