import type { Config } from "../config/index.ts";
import { createLogger, type Logger } from "../platform/index.ts";
import { checkMigrated, type Store } from "../store/index.ts";
import { openDatabase, ROLE_RETRY_WINDOW_MS } from "./open-database.ts";
import type { Part } from "./parts/part.ts";
import { untilStopped } from "./until-stopped.ts";

/** Runs one role in this process until a signal asks it to stop, then drains it. */
export async function runRole(
  config: Config,
  name: string,
  start: (store: Store, logger: Logger) => Promise<Part>,
): Promise<void> {
  const logger = createLogger({ level: config.logging.logging_level, role: name });
  const stopped = untilStopped(logger);
  const database = await openDatabase(config, logger);
  try {
    const store = database.open(name, { retryWindowMs: name === "api-server" ? 5_000 : ROLE_RETRY_WINDOW_MS });
    await checkMigrated(store);
    const part = await start(store, logger);
    logger.info({}, `${name} started`);
    const signal = await stopped;
    logger.info({ signal }, `${name} drains`);
    await part.stop();
  } finally {
    await database.close();
  }
}
