import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, environmentForUserCode, listOf } from "../../config/index.ts";
import { createDagProcessor, type DagBundle, type DagProcessor, type FileOrder } from "../../dag-files/index.ts";
import { findPackageRoot, type Logger, type Metrics, silentMetrics, startInterval, systemClock } from "../../platform/index.ts";
import type { Store } from "../../store/index.ts";
import { openAccounts } from "../accounts.ts";
import { dagDefaultsOf } from "../dag-defaults.ts";
import { createSqlDagFileStore } from "../dag-processor/sql-dag-file-store.ts";
import { findDagsFolder } from "../dags-folder.ts";
import { configuredExecutors, executorNames, faultForExecutor, spellExecutor } from "../executors.ts";
import { openHealthPort } from "../health/index.ts";
import { type ProcessMetrics, silentProcessMetrics } from "../metrics/index.ts";
import { moduleCacheFolder } from "../supervisor-options.ts";
import { packageVersion } from "../version.ts";
import { keepJob } from "./keep-job.ts";
import type { Part } from "./part.ts";

const EXAMPLES_BUNDLE = "example_dags";
const DAGS_BUNDLE = "dags-folder";
/** Examples for executors that need a set-up: loaded only if [core] executor names the executor. */
const EXECUTORS_OF_EXAMPLES: Readonly<Record<string, readonly string[]>> = { "hybrid.ts": ["EcsExecutor", "LambdaExecutor"] };

export type DagProcessorPart = Part & { readonly processor: DagProcessor };

/** Watches the DAG folder and, if enabled, the examples. */
export async function startDagProcessorPart(
  config: Config,
  store: Store,
  logger: Logger,
  options: { withExamples: boolean },
  process: ProcessMetrics = silentProcessMetrics,
): Promise<DagProcessorPart> {
  const { metrics } = process;
  // A missing folder may appear later, and the scanner logs that; a file in its place is an error.
  findDagsFolder(config);
  const processor = createConfiguredDagProcessor(config, store, logger, options, metrics);
  const job = await keepJob(store, "DagProcessorJob", config, logger, metrics, () =>
    metrics.count("dag_processor_heartbeat", {}),
  );
  const health = await openHealthPort(config, "dag-processor", job.life, { clock: systemClock, logger, metrics: process });
  await processor.start();
  const statsSec = config.dag_processor.print_stats_interval;
  const statsTimer =
    statsSec > 0 ? startInterval(statsSec * 1_000, () => logger.info(processor.stats(), "DAG files")) : undefined;
  return {
    processor,
    healthUrl: health?.url,
    async stop() {
      statsTimer?.cancel();
      await processor.stop();
      await job.stop();
      await health?.stop();
    },
  };
}

export function createConfiguredDagProcessor(
  config: Config,
  store: Store,
  logger: Logger,
  options: { withExamples: boolean },
  metrics: Metrics = silentMetrics,
): DagProcessor {
  const examples = join(findPackageRoot(), "examples", "dags");
  const bundles: DagBundle[] = [{ name: DAGS_BUNDLE, path: config.core.dags_folder }];
  if (options.withExamples && config.core.load_examples && existsSync(examples))
    bundles.push({ name: EXAMPLES_BUNDLE, path: examples, leaveOut: examplesToLeaveOut(config) });
  const executors = configuredExecutors(config);
  const fileStore = createSqlDagFileStore(store, {
    pausedAtCreation: config.core.dags_are_paused_at_creation,
    activeBundles: [EXAMPLES_BUNDLE],
    executors,
    faultForExecutor: (name, task, dagId) => faultForExecutor(config, name, task, dagId),
    staleDagThresholdSec: config.dag_processor.stale_dag_threshold,
    refreshIntervalSec: config.dag_processor.refresh_interval,
  });
  return createDagProcessor(
    { store: fileStore, clock: systemClock, logger, metrics },
    {
      bundles,
      cacheDir: moduleCacheFolder(config),
      account: openAccounts(config)?.account ?? null,
      environment: environmentForUserCode(listOf(config.workers.pass_environment)),
      dagDefaults: dagDefaultsOf(config),
      importFolders: listOf(config.dag_processor.import_folders),
      executors: executors.map(spellExecutor),
      parsingProcesses: config.dag_processor.parsing_processes,
      dagbagImportTimeoutSec: config.core.dagbag_import_timeout,
      memoryMb: config.dag_processor.max_memory_mb,
      filesPerProcess: config.dag_processor.files_per_process,
      refreshIntervalSec: config.dag_processor.refresh_interval,
      staleDagThresholdSec: config.dag_processor.stale_dag_threshold,
      version: packageVersion(),
      fileOrder: config.dag_processor.file_parsing_sort_mode as FileOrder,
    },
  );
}

function examplesToLeaveOut(config: Config): string[] {
  const configured = executorNames(config);
  return Object.entries(EXECUTORS_OF_EXAMPLES).flatMap(([file, needed]) =>
    needed.every((name) => configured.includes(name)) ? [] : [file],
  );
}
