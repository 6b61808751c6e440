import {
  type Config,
  environmentForUserCode,
  environmentSecrets,
  listOf,
  readEncryptionKey,
  sensitiveNames,
} from "../../config/index.ts";
import { createMasker, createNameRule, type Logger, type Masker, systemClock } from "../../platform/index.ts";
import { createDagCache } from "../../scheduler/index.ts";
import { createCipher, type Store } from "../../store/index.ts";
import { createFolderSink, createLogWriter, userLine } from "../../task-logs/index.ts";
import { type PausePoint, startTriggerer, type Triggerer, type TriggerLog } from "../../triggerer/index.ts";
import { openAccounts } from "../accounts.ts";
import { distFile } from "../dist-file.ts";
import { openHealthPort } from "../health/index.ts";
import { type ProcessMetrics, silentProcessMetrics } from "../metrics/index.ts";
import { moduleCacheFolder } from "../supervisor-options.ts";
import { tokensOf } from "../tokens.ts";
import { createSqlTriggerStore } from "../triggerer/sql-trigger-store.ts";
import type { Part } from "./part.ts";

export type TriggererPart = Part & { readonly triggerer: Triggerer };

/** A trigger beyond every triggerer's share waits this long until one takes more than its share. */
const FAIRNESS_SEC = 3;

export async function startTriggererPart(
  config: Config,
  store: Store,
  logger: Logger,
  metrics: ProcessMetrics = silentProcessMetrics,
  pause: (point: PausePoint) => Promise<void> = async () => {},
): Promise<TriggererPart> {
  const { triggerer: options } = config;
  const sqlStore = createSqlTriggerStore(
    {
      store,
      dags: createDagCache(),
      tokens: tokensOf(config),
      cipher: createCipher(readEncryptionKey(config)),
      secrets: environmentSecrets(),
      clock: systemClock,
      logger,
      metrics: metrics.metrics,
    },
    { cacheDir: moduleCacheFolder(config), resolveFrom: [config.core.dags_folder, process.cwd()] },
  );
  const masker = createMasker(createNameRule(sensitiveNames(config)));
  const triggerer = await startTriggerer(
    {
      store: sqlStore,
      clock: systemClock,
      logger,
      metrics: metrics.metrics,
      openLog: (path) => openLog(config, path, masker, logger),
      pause,
    },
    {
      capacity: options.capacity,
      heartbeatSec: options.job_heartbeat_sec,
      healthThresholdSec: options.triggerer_health_check_threshold,
      selectPerLoop: options.max_trigger_to_select_per_loop,
      idleSleepSec: config.scheduler.scheduler_idle_sleep_time,
      fairnessSec: FAIRNESS_SEC,
      maxProcesses: options.max_processes,
      blockedTimeoutSec: options.blocked_process_timeout,
      maxDeaths: options.max_trigger_deaths,
      childEntry: distFile("triggerer/child/entry.js"),
      accounts: openAccounts(config),
      environment: environmentForUserCode(listOf(config.workers.pass_environment)),
    },
  );
  const withPort = { clock: systemClock, logger, metrics };
  const health = await openHealthPort(config, "triggerer", triggerer.life, withPort).catch(async (error: unknown) => {
    await triggerer.stop();
    throw error;
  });
  return {
    triggerer,
    async stop() {
      await triggerer.stop();
      await health?.stop();
    },
  };
}

/** A trigger's lines go to the log of the try that waits for it. */
function openLog(config: Config, path: string, masker: Masker, logger: Logger): TriggerLog {
  const writer = createLogWriter({
    sink: createFolderSink(config.logging.base_log_folder),
    path,
    maxLineBytes: config.logging.max_line_bytes,
    maxFileBytes: config.logging.max_file_bytes,
    masker: () => masker,
    onFault: (error) => logger.warn({ path, error: error.message }, "a trigger's log cannot be written"),
  });
  return {
    write: (level, event) => writer.write({ timestamp: new Date().toISOString(), level, event, logger: "baram.triggerer" }),
    writeUser: (record) => writer.write(userLine("trigger", record)),
    masker,
    flush: () => writer.flush(),
  };
}
