import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config/index.ts";
import { openBroker } from "../../executors/queue/index.ts";
import { BaramError, killMarked, killProcessBoxes, type Logger, type ProcessMark, startInterval } from "../../platform/index.ts";
import type { SupervisorOptions } from "../../worker/supervisor/index.ts";
import { baseUrl } from "../base-url.ts";
import { brokerOptions } from "../executors/queue.ts";
import type { Part } from "../parts/part.ts";
import { supervisorOptionsElsewhere } from "../supervisor-options.ts";
import { packageVersion } from "../version.ts";
import type { Bounds } from "./autoscale.ts";
import { startQueueWorker } from "./queue-worker.ts";
import { reportWorker } from "./report-worker.ts";
import { createWorkerToken } from "./worker-token.ts";

export type WorkerOptions = { name: string; queues: readonly string[]; bounds: Bounds };

/** How long a starting worker waits for the API, in addition to the time after which a silent worker's name is free. */
const PATIENCE_SEC = 5;
const TOKEN_FILE = "BARAM__WORKERS__TOKEN_FILE";
const LOOK_AT_TOKEN_MS = 1_000;
/** Inherited by everything that runners start, so that nothing outlives a worker that exits abruptly. */
const MARK = "BARAM_WORKER_INSTANCE";

/** A queue worker: the broker, the execution API and a worker's token are all it needs. `finished`: a user asked it to stop. */
export async function startWorker(config: Config, options: WorkerOptions, logger: Logger): Promise<Part> {
  const given = config.workers.token;
  if (given === null)
    throw new BaramError(
      "worker_token_missing",
      "[workers] token is not set. Make one where Baram's API server runs, with `baram worker token --name …`, and give it to the worker as BARAM__WORKERS__TOKEN, or in the file that BARAM__WORKERS__TOKEN_FILE names.",
      {},
    );
  const apiUrl = baseUrl(config) ?? `http://${config.api.host}:${config.api.port}`;
  const instance = randomUUID();
  const mark: ProcessMark = { name: MARK, value: instance };
  const forSupervisor = supervisorOptionsElsewhere(config, apiUrl, options.bounds.max, join(config.home, "worker"));
  const broker = await openBroker(brokerOptions(config), logger);
  await broker.start();

  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let worker: Awaited<ReturnType<typeof startQueueWorker>> | null = null;
  const facts = () => ({
    queues: [...(worker?.queues() ?? options.queues)],
    concurrency: worker?.concurrency() ?? options.bounds.min,
    active: worker?.active() ?? 0,
  });
  const token = createWorkerToken({
    token: given,
    name: options.name,
    path: config.secretFiles.find(({ where }) => where === TOKEN_FILE)?.path ?? null,
    onChange() {
      worker
        ?.heedToken()
        .catch((error: Error) =>
          logger.error({ error: error.message }, "the queues could not be changed with the worker's token"),
        );
    },
    logger,
  });
  const handlers = {
    onQueues(queues: readonly string[]) {
      logger.info({ queues }, "the worker's queues were changed");
      worker
        ?.setQueues(queues)
        .catch((error: Error) => logger.error({ queues, error: error.message }, "the worker's queues could not be changed"));
    },
    onShutdown() {
      logger.info({}, "the worker was asked to stop");
      finish();
    },
  };
  const reported = await reportWorker(
    {
      apiUrl: forSupervisor.apiUrl,
      token,
      name: options.name,
      instance,
      version: packageVersion(),
      heartbeatSec: config.workers.heartbeat_sec,
      patienceSec: config.workers.lost_after_sec + PATIENCE_SEC,
    },
    facts,
    handlers,
    logger,
  ).catch(async (error: unknown) => {
    await broker.close();
    throw error;
  });
  process.once("exit", () => {
    killMarked(mark);
    killProcessBoxes(instance);
  });
  const prefetchMultiplier = config.queue.worker_prefetch_multiplier;
  const supervisor: SupervisorOptions = {
    ...forSupervisor,
    workerToken: token.current,
    // A restarted container has the same name and pid as the previous one, whose tries the broker may deliver to it.
    boxesName: instance,
    hostname: `${hostname()}/${instance.slice(0, 8)}`,
    environment: { ...forSupervisor.environment, [mark.name]: mark.value },
  };
  const { queues, bounds } = options;
  const started = await startQueueWorker(broker, { supervisor, token, queues, bounds, prefetchMultiplier }, logger);
  worker = started;
  const looking = startInterval(LOOK_AT_TOKEN_MS, () => token.look());
  return {
    finished,
    async stop() {
      looking.cancel();
      reported.draining();
      await started.drain(config.workers.graceful_shutdown_sec * 1_000);
      await reported.leave();
      await broker.close();
    },
  };
}
