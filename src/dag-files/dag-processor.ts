// From files to saved DAGs. A scan lists the bundles' files and hashes their inputs. Files that are new, changed or due for
// a retry enter a queue, from which `parsingProcesses` slots bundle, evaluate and save one file each at a time.
// Scans run independently, every `refreshIntervalSec` and shortly after a folder watch fires, so a file that hangs blocks
// only its slot.
//
// Results are saved one after another (save-results.ts). The store decides who owns a dagId at that moment, so that two files with the
// same DAG, of one dag-processor or of two, cannot overwrite each other in the order in which their evaluations ended.

import { randomUUID } from "node:crypto";
import { DAG_DEFAULTS, type DagDefaults } from "../contracts/index.ts";
import {
  type Account,
  type Clock,
  isDatabaseAway,
  type Logger,
  type Metrics,
  openProcessBoxes,
  secondsSince,
  startTimer,
  type Timer,
  toError,
} from "../platform/index.ts";
import { buildOf } from "./build.ts";
import { createBundler } from "./bundler.ts";
import type { DagBundle, DagFileStore } from "./contract.ts";
import { createEvaluator } from "./evaluator.ts";
import { createFileHasher } from "./file-hash.ts";
import { createFileOrder, type FileOrder } from "./file-order.ts";
import { type FileReads, fileReads } from "./file-reads.ts";
import { type FileState, inputFolders } from "./file-states.ts";
import { createFolderWatcher } from "./folder-watcher.ts";
import { createFileProcessing, type ParsingSlot } from "./process-file.ts";
import { createResultSaver } from "./save-results.ts";
import { createScanner } from "./scan-bundles.ts";

export type DagProcessorResources = {
  store: DagFileStore;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** Default: the machine's file system. */
  reads?: FileReads;
};

export type DagProcessorOptions = {
  bundles: DagBundle[];
  /** Folder for the modules that are evaluated; may be shared with workers on this machine. */
  cacheDir: string;
  /** The operating system user that evaluates DAG files; null or left out = this process's own. */
  account?: Account | null;
  /** The complete environment of DAG files while they load: PATH, HOME, TZ, LANG … `BARAM_*` is removed. */
  environment: Record<string, string>;
  /** The installation's defaults for options that a DAG file does not set. */
  dagDefaults?: DagDefaults;
  /** Folders outside of the bundles that files may import from; default: none. */
  importFolders?: readonly string[];
  /** The configured executors that tasks may name; a file that names another one has an import error until it is configured. */
  executors?: readonly string[];
  /** Files evaluated at the same time. Default 2. */
  parsingProcesses?: number;
  /** Timeout of bundling one file, and that of evaluating it. Default 30. */
  dagbagImportTimeoutSec?: number;
  /** Heap of a process that bundles or evaluates files; its resident memory may be 256 MB more. Default 512. */
  memoryMb?: number;
  /** Number of files that an evaluation process loads before a new one replaces it. Default 50. */
  filesPerProcess?: number;
  /** Time between two scans if no watch fires. Default 30. */
  refreshIntervalSec?: number;
  /** Time after which an unchanged file that failed is tried again, since the machine may have been at fault. Default 300. */
  errorRetrySec?: number;
  /** Order in which waiting files are loaded. Default alphabetical. */
  fileOrder?: FileOrder;
  /**
   * As in the store: how long all dag-processors must miss a file before its DAGs become stale, unless its deletion was seen.
   * Default 50.
   */
  staleDagThresholdSec?: number;
  /**
   * Version of Baram: a file that an older one saved is loaded again; a newer one's result for the same inputs is left. Default
   * 0.0.0.
   */
  version?: string;
};

/** Counts of one `processOnce`: existing files, loaded files, and failed ones among the loaded. */
export type ProcessSummary = { files: number; processed: number; failed: number };

/** About the files of the latest scan; `totalLoadSec`: the sum of each file's latest load duration. */
export type ProcessorStats = {
  files: number;
  dags: number;
  importErrors: number;
  queued: number;
  running: number;
  totalLoadSec: number;
};

export type DagProcessor = {
  /**
   * Scans, and goes on with the watcher and regular scans until `stop`. Resolves after the first scan; a scan that fails is
   * logged and repeated.
   */
  start(): Promise<void>;
  /** One scan, and the processing of all files that it found due; with `force`, of all files, changed or not. */
  processOnce(options?: { force?: boolean }): Promise<ProcessSummary>;
  stats(): ProcessorStats;
  /** Ends the children, even while they load a file, and waits for a save in progress. */
  stop(): Promise<void>;
};

type UnlabelledGauge =
  | "dagbag_size"
  | "dag_processing.import_errors"
  | "dag_processing.file_path_queue_size"
  | "dag_processing.processes"
  | "dag_processing.total_parse_time";

/**
 * A file is often written in several steps: one that was modified this recently is loaded later, so that no partial file is
 * loaded.
 */
const SETTLE_MS = 100;
/** After this idle time the processes of the slots are ended, to free their memory. */
const IDLE_MS = 10_000;

export function createDagProcessor(resources: DagProcessorResources, given: DagProcessorOptions): DagProcessor {
  const options = withDefaults(given);
  const { store, clock, logger, metrics, reads = fileReads } = resources;
  const hasher = createFileHasher(options.dagDefaults, options.executors, reads);
  const inOrder = createFileOrder(options.fileOrder);
  const queue: FileState[] = [];
  const boxes = openProcessBoxes(randomUUID());
  const timeoutSec = options.dagbagImportTimeoutSec;
  const slots: ParsingSlot[] = Array.from({ length: options.parsingProcesses }, () => ({
    bundler: createBundler({ memoryMb: options.memoryMb, timeoutSec }),
    evaluator: createEvaluator({ ...options, boxes, timeoutSec }),
  }));
  const stopProcesses = () => Promise.all(slots.flatMap(({ bundler, evaluator }) => [bundler.stop(), evaluator.stop()]));
  const free = [...slots];
  const running = new Set<Promise<void>>();
  const counts = { processed: 0, failed: 0 };
  let isStopped = false;
  let lastScan: Promise<unknown> = Promise.resolve();
  let scanTimer: Timer | undefined;
  let idleTimer: NodeJS.Timeout | undefined;

  const build = buildOf(options.version);
  const scanner = createScanner(
    { store, clock, logger, hasher, reads },
    { bundles: options.bundles, errorRetryMs: options.errorRetrySec * 1000, build },
  );
  /** If a child is killed because Baram stops, its file is not at fault. */
  const isUnwanted = (state: FileState) => state.isGone || isStopped;
  const hasBundle = (name: string) => options.bundles.some((bundle) => bundle.name === name);
  const saver = createResultSaver(
    { store, clock, logger, find: scanner.find, hasBundle, requeue: enqueue, isUnwanted },
    { build, waitForOwnerMs: options.staleDagThresholdSec * 1000 },
  );
  const processFile = createFileProcessing(
    { store, saver, clock, metrics, hasher, reads, isUnwanted },
    { cacheDir: options.cacheDir, defaults: options.dagDefaults, importFolders: options.importFolders },
  );
  const watcher = createFolderWatcher(logger, () => scheduleScan(SETTLE_MS));

  function enqueue(state: FileState): void {
    if (isStopped || state.isGone || state.isQueued) return;
    if (state.isRunning) {
      state.runAgain = true;
      return;
    }
    state.isQueued = true;
    queue.push(state);
    // A microtask, so that a scan fills the queue before the files are ordered.
    queueMicrotask(fillSlots);
  }

  function fillSlots(): void {
    queue.sort(inOrder);
    while (!isStopped && free.length > 0 && queue.length > 0) {
      const slot = free.pop();
      const state = queue.shift();
      if (!slot || !state) return;
      const run = runFile(state, slot).finally(() => {
        running.delete(run);
        free.push(slot);
        fillSlots();
        tellStats();
        if (running.size === 0) idleTimer = setTimeout(rest, IDLE_MS).unref();
      });
      clearTimeout(idleTimer);
      running.add(run);
    }
  }

  async function runFile(state: FileState, slot: ParsingSlot): Promise<void> {
    const began = performance.now();
    Object.assign(state, { isQueued: false, isRunning: true, runAgain: false });
    try {
      if (state.isGone) return;
      counts.processed++;
      await processFile(state, slot);
      if (state.outcome !== "good") counts.failed++;
    } catch (error) {
      // The store or Baram failed: the file's outcome stays unknown, and it is processed again at the next scan.
      counts.failed++;
      state.outcome = "unknown";
      if (!isStopped && !isDatabaseAway(error))
        logger.error(
          { file: state.relativePath, bundle: state.bundleName, error: toError(error).message, stack: toError(error).stack },
          "could not process a DAG file",
        );
    } finally {
      state.isRunning = false;
      const sec = secondsSince(began);
      state.lastLoad = { endedAtMs: clock.now(), sec };
      metrics.time("dag_processing.last_duration", { dag_file: state.relativePath }, sec);
      if (state.runAgain) enqueue(state);
    }
  }

  function stats(): ProcessorStats {
    const states = scanner.states();
    return {
      files: states.length,
      dags: states.reduce((sum, { dagCount }) => sum + dagCount, 0),
      importErrors: states.filter(({ outcome }) => outcome === "failed" || outcome === "duplicate").length,
      queued: queue.length,
      running: running.size,
      totalLoadSec: states.reduce((sum, { lastLoad }) => sum + (lastLoad?.sec ?? 0), 0),
    };
  }

  let toldAtMs = Number.NEGATIVE_INFINITY;
  /**
   * Once a second while files are loaded: with thousands of files, computing the sums after each load would take longer than
   * loading a small file.
   */
  function tellStats(): void {
    if (running.size > 0 && performance.now() - toldAtMs < 1_000) return;
    toldAtMs = performance.now();
    const now = stats();
    const tell = (name: UnlabelledGauge, value: number) => metrics.gauge(name, [{ labels: {}, value }]);
    tell("dagbag_size", now.dags);
    tell("dag_processing.import_errors", now.importErrors);
    tell("dag_processing.file_path_queue_size", now.queued);
    tell("dag_processing.processes", now.running);
    tell("dag_processing.total_parse_time", now.totalLoadSec);
    const loaded = scanner
      .states()
      .flatMap(({ relativePath, lastLoad }) =>
        lastLoad ? [{ labels: { dag_file: relativePath }, value: (clock.now() - lastLoad.endedAtMs) / 1_000 }] : [],
      );
    metrics.gauge("dag_processing.last_run.seconds_ago", loaded);
  }

  async function rest(): Promise<void> {
    if (running.size > 0 || isStopped) return;
    await stopProcesses();
  }

  /** Scans never overlap; each sees the result of the previous one. */
  function scan(settleMs: number, force: boolean): Promise<void> {
    const next = lastScan.then(async () => {
      if (isStopped) return;
      const { due, unsettled, folders } = await scanner.scan(settleMs, force);
      for (const state of due) enqueue(state);
      metrics.count("dag_processing.file_path_queue_update_count", {});
      tellStats();
      if (scanTimer) watcher.watchOnly([...new Set([...folders, ...scanner.states().flatMap(inputFolders)])]);
      if (unsettled) scheduleScan(SETTLE_MS);
    });
    lastScan = next.catch(() => undefined);
    return next;
  }

  function scheduleScan(delayMs: number): void {
    if (isStopped || !scanTimer) return;
    // A scan that is due earlier is kept, so that a busy folder cannot postpone the scan again and again.
    if (nextScanAtMs <= Date.now() + delayMs) return;
    scanTimer.cancel();
    armScan(delayMs);
  }

  function logScanFailure(error: unknown): void {
    if (!isDatabaseAway(error)) logger.error({ error: toError(error).message }, "could not scan the DAG folders");
  }

  let nextScanAtMs = 0;
  function armScan(delayMs: number): void {
    nextScanAtMs = Date.now() + delayMs;
    scanTimer = startTimer(delayMs, () => {
      armScan(options.refreshIntervalSec * 1000);
      scan(SETTLE_MS, false).catch(logScanFailure);
    }).unref();
  }

  async function drain(): Promise<void> {
    do await Promise.resolve().then(() => Promise.all(running));
    while (running.size > 0 || queue.length > 0);
  }

  return {
    async start() {
      armScan(options.refreshIntervalSec * 1000);
      await scan(0, false).catch(logScanFailure);
    },
    async processOnce({ force = false } = {}) {
      Object.assign(counts, { processed: 0, failed: 0 });
      await scan(0, force);
      await drain();
      return { files: scanner.states().length, ...counts };
    },
    stats,
    async stop() {
      isStopped = true;
      scanTimer?.cancel();
      clearTimeout(idleTimer);
      watcher.close();
      queue.length = 0;
      await stopProcesses();
      await lastScan;
      await Promise.all(running);
      await Promise.all([stopProcesses(), scanner.stop()]);
      boxes?.close();
    },
  };
}

function withDefaults(options: DagProcessorOptions) {
  return {
    dagDefaults: DAG_DEFAULTS,
    importFolders: [] as readonly string[],
    executors: [] as readonly string[],
    parsingProcesses: 2,
    dagbagImportTimeoutSec: 30,
    memoryMb: 512,
    filesPerProcess: 50,
    refreshIntervalSec: 30,
    errorRetrySec: 300,
    fileOrder: "alphabetical" as const,
    staleDagThresholdSec: 50,
    version: "0.0.0",
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  } as Required<DagProcessorOptions>;
}
