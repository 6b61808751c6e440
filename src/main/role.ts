import { type Config, closeHome } from "../config/index.ts";
import { createLogger, isDatabaseAway, type Logger } from "../platform/index.ts";
import { checkMigrated, type Store } from "../store/index.ts";
import { warnOfSecretFiles, warnOfTaskUsers } from "./accounts.ts";
import { hideSecrets, tellOfWithheld } from "./hide-secrets.ts";
import { logOptionsOf } from "./log-options.ts";
import { createMetrics, type ProcessMetrics } from "./metrics/index.ts";
import { apiStoreOptions, openDatabase, ROLE_RETRY_WINDOW_MS } from "./open-database.ts";
import type { Part } from "./parts/part.ts";
import { createPatience } from "./patience.ts";
import { untilStopped } from "./until-stopped.ts";

const ROLES_WITH_USER_CODE = new Set(["scheduler", "dag-processor", "triggerer"]);

/** Runs one role in this process until a signal asks it to stop, then drains it. A signal during the start stops it too. */
export async function runRole(
  config: Config,
  name: string,
  start: (store: Store, logger: Logger, metrics: ProcessMetrics) => Promise<Part>,
): Promise<void> {
  const logger = createLogger({ ...logOptionsOf(config), role: name });
  warnOfMeaninglessOptions(config, logger);
  closeHome(config.home, (message) => logger.warn({}, message));
  warnOfSecretFiles(config, logger);
  hideSecrets(config, logger);
  if (ROLES_WITH_USER_CODE.has(name)) {
    warnOfTaskUsers(config, logger);
    tellOfWithheld(config, logger);
  }
  const stopped = untilStopped(logger);
  const metrics = createMetrics(config, logger);
  const patience = createPatience(config.database.start_timeout);
  void stopped.then(patience.stop);
  const database = await openDatabase(config, logger, { patience });
  try {
    const store = database.open(name, name === "api-server" ? apiStoreOptions(config) : { retryWindowMs: ROLE_RETRY_WINDOW_MS });
    await checkMigrated(store);
    const part = await start(store, logger, metrics);
    patience.started();
    logger.info({}, `${name} started`);
    const signal = await Promise.race([stopped, ...(part.finished ? [part.finished] : [])]);
    logger.info({ signal: signal ?? "none: it has finished" }, `${name} drains`);
    await part.stop();
  } catch (error) {
    if (!patience.isStartGivenUp() || !isDatabaseAway(error)) throw error;
    logger.warn({ signal: await stopped }, `${name} was asked to stop while it waited for the database; it had not started`);
  } finally {
    await database.close();
    await metrics.close();
  }
}

/** Options of Airflow that have no effect here; see config/meaningless-options.ts. */
export function warnOfMeaninglessOptions(config: Config, logger: Logger): void {
  for (const { where, why } of config.meaningless) logger.warn({ option: where }, `${where} has no meaning in Baram: ${why}`);
}
