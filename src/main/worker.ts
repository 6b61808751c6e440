import { type Config, closeHome } from "../config/index.ts";
import { createLogger } from "../platform/index.ts";
import { warnOfSecretFiles, warnOfTaskUsers } from "./accounts.ts";
import { hideSecrets, tellOfWithheld } from "./hide-secrets.ts";
import { logOptionsOf } from "./log-options.ts";
import { warnOfMeaninglessOptions } from "./role.ts";
import { untilStopped } from "./until-stopped.ts";
import { startWorker, type WorkerOptions } from "./worker/start-worker.ts";

export { type Bounds, readBounds } from "./worker/autoscale.ts";
export type { WorkerOptions };

/**
 * `baram worker start`: takes tasks from the broker until a signal or a user asks it to stop, then drains. It needs no database.
 */
export async function runWorker(config: Config, options: WorkerOptions): Promise<void> {
  const logger = createLogger({ ...logOptionsOf(config), role: "worker" });
  warnOfMeaninglessOptions(config, logger);
  closeHome(config.home, (message) => logger.warn({}, message));
  warnOfSecretFiles(config, logger);
  hideSecrets(config, logger);
  warnOfTaskUsers(config, logger);
  tellOfWithheld(config, logger);
  const stopped = untilStopped(logger);
  const worker = await startWorker(config, options, logger);
  logger.info({ ...options }, "worker started");
  const signal = await Promise.race([stopped, worker.finished]);
  logger.info({ signal: signal ?? "none: it was asked to end" }, "worker drains");
  await worker.stop();
}
