import { hostname } from "node:os";
import { type WorkerAnswer, type WorkerReport, workerAnswerSchema } from "../../contracts/index.ts";
import { BaramError, type Logger, sleep, startInterval, toError } from "../../platform/index.ts";
import {
  type ApiRefusal,
  createApiClient,
  createOutageTeller,
  isOwnRefusal,
  type OutageTeller,
} from "../../worker/supervisor/index.ts";
import type { WorkerToken } from "./worker-token.ts";

export type ReportOptions = {
  /** The execution API. */
  apiUrl: string;
  /** Good for the row of this worker's name, and for starting what its broker delivers. */
  token: Pick<WorkerToken, "current" | "forReport" | "accepted" | "refused">;
  name: string;
  instance: string;
  version: string;
  heartbeatSec: number;
  /** How long the worker's start waits for an unreachable API or a taken name. */
  patienceSec: number;
};

const TELL_OUTAGE_MS = 60_000;

type Facts = Pick<WorkerReport, "queues" | "concurrency" | "active">;

export type ReportedWorker = {
  /** Reports that the worker is draining; heartbeats go on. */
  draining(): void;
  /** The last report: the worker is offline. */
  leave(): Promise<void>;
};

/** Called for changes that users requested, in the order in which they arrive. */
export type ChangeHandlers = { onQueues(queues: readonly string[]): void; onShutdown(): void };

/**
 * Keeps the worker's row in the database, by way of the API. Rejects with `worker_name_taken`, `api_unreachable` or
 * `worker_token_refused`. Later outages have no effect on its tasks, which have their own heartbeats.
 */
export async function reportWorker(
  options: ReportOptions,
  facts: () => Facts,
  handlers: ChangeHandlers,
  logger: Logger,
): Promise<ReportedWorker> {
  const outage = createOutageTeller({ url: options.apiUrl, everyMs: TELL_OUTAGE_MS, logger });
  const client = createApiClient(options.apiUrl, { outage });
  let state: WorkerReport["state"] = "running";
  let requestedQueues: string | null = null;
  let isShutdownTold = false;
  const inFlight = new Set<Promise<void>>();

  async function say(takesOver: string | null = null, token = options.token.current() ?? undefined): Promise<WorkerAnswer> {
    const { instance, version } = options;
    const report: WorkerReport = { instance, hostname: hostname(), pid: process.pid, version, ...facts(), state, takesOver };
    const path = `baram/workers/${encodeURIComponent(options.name)}/heartbeat`;
    try {
      const answer = workerAnswerSchema.parse(await client.post<unknown>(path, report, token));
      if (token !== undefined) options.token.accepted(token);
      return answer;
    } catch (error) {
      if (isOfToken(error) && token !== undefined) options.token.refused(token);
      throw error;
    }
  }

  function heed(answer: WorkerAnswer): void {
    if (!answer.isYours)
      logger.error({ holder: answer.holder }, "another worker has taken this one's name after a long silence; this worker stops");
    else if (answer.queues !== null && JSON.stringify(answer.queues) !== requestedQueues) {
      requestedQueues = JSON.stringify(answer.queues);
      handlers.onQueues(answer.queues);
    }
    if (isShutdownTold || (answer.isYours && !answer.shutdown)) return;
    isShutdownTold = true;
    handlers.onShutdown();
  }

  async function beat(): Promise<void> {
    // The token tells of its end itself.
    const token = options.token.forReport();
    if (token === null) return;
    try {
      heed(await say(null, token));
    } catch (error) {
      if (isOfToken(error)) return;
      outage.failed("report that the worker lives (its tasks go on)", error, options.heartbeatSec * 1_000);
    }
  }

  await register(options, say, outage, logger);
  function startBeat(): void {
    const one = beat().finally(() => inFlight.delete(one));
    inFlight.add(one);
  }

  const timer = startInterval(options.heartbeatSec * 1_000, startBeat);
  return {
    draining() {
      state = "draining";
      startBeat();
    },
    async leave() {
      timer.cancel();
      // One that arrived after the last report would make the worker that has ended look alive, and then lost.
      await Promise.all(inFlight);
      state = "offline";
      await say().catch((error) =>
        logger.debug({ error: toError(error).message }, "the worker's last report did not reach the API"),
      );
      client.close();
    },
  };
}

async function register(
  options: ReportOptions,
  say: (takesOver?: string) => Promise<WorkerAnswer>,
  outage: OutageTeller,
  logger: Logger,
): Promise<void> {
  let isNameTold = false;
  const deadline = Date.now() + options.patienceSec * 1_000;
  for (;;) {
    let why: Error;
    try {
      const answer = await say();
      if (answer.isYours) return;
      if (isDeadHere(answer.holder) && (await say(answer.holder.instance)).isYours) return;
      why = nameTaken(options.name, answer.holder);
      // Its holder may have been killed: then the name is free when its heartbeats are missed.
      if (!isNameTold) logger.warn({ waitsSec: options.patienceSec }, `${why.message} This one waits for the name meanwhile.`);
      isNameTold = true;
    } catch (error) {
      if (isOfToken(error)) throw tokenRefused(options, error);
      if (isOwnRefusal(error) && error.status < 500) throw error;
      why = unreachable(options.apiUrl, error, outage);
    }
    if (Date.now() > deadline) throw why;
    const waitMs = Math.min(1_000, options.heartbeatSec * 1_000);
    if (why.cause !== undefined) outage.failed("register the worker", why.cause, waitMs);
    await sleep(waitMs);
  }
}

type Holder = Extract<WorkerAnswer, { isYours: false }>["holder"];

/**
 * A killed predecessor on this machine, which need not be waited for. In a restarted container it had the same pid as this process.
 */
function isDeadHere(holder: Holder): boolean {
  if (holder.hostname !== hostname()) return false;
  if (holder.pid === process.pid) return true;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function nameTaken(name: string, { hostname: host, pid, silentForSec }: Holder): BaramError {
  return new BaramError(
    "worker_name_taken",
    `A worker named "${name}" runs on ${host}, process ${pid}, heard of ${Math.round(silentForSec)} s ago. Give this one another name with --name.`,
    { name, hostname: host, pid },
  );
}

function tokenRefused({ apiUrl, name }: ReportOptions, error: ApiRefusal): BaramError {
  const isOver = error.code === "token_expired" || error.code === "token_missing";
  const of401 = isOver ? "has expired" : "is none of that API server's";
  const what = error.status === 401 ? of401 : `is for another worker than "${name}"`;
  return new BaramError(
    "worker_token_refused",
    `The API at ${apiUrl} does not take [workers] token: it ${what}. Make one where that API server runs, with \`baram worker token --name ${name}\`, and give it to the worker as BARAM__WORKERS__TOKEN, or in the file that BARAM__WORKERS__TOKEN_FILE names.`,
    { apiUrl },
    error,
  );
}

function unreachable(apiUrl: string, error: unknown, outage: OutageTeller): BaramError {
  return new BaramError(
    "api_unreachable",
    `The API at ${apiUrl} cannot be reached: ${outage.explain(error).replace(/\.$/, "")}. Set BARAM__API__BASE_URL to the URL under which this machine reaches Baram's API server.`,
    { apiUrl },
    error,
  );
}

/** Whether the API does not take the worker's token. */
function isOfToken(error: unknown): error is ApiRefusal {
  return isOwnRefusal(error) && (error.status === 401 || error.code === "token_of_another_worker");
}
