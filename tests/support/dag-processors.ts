/** DAG folders and real dag-processors on a database, as many as a test needs, each as in a separate process. */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createDagProcessor, type DagFileStore, type DagProcessor, type DagProcessorOptions } from "../../src/dag-files/index.ts";
import { createSqlDagFileStore } from "../../src/main/dag-processor/sql-dag-file-store.ts";
import { type Logger, silentLogger, silentMetrics, systemClock } from "../../src/platform/index.ts";
import { allImportErrors } from "../../src/store/index.ts";
import type { TestDatabase } from "./database.ts";

export type ProcessorSettings = Partial<DagProcessorOptions> & {
  logger?: Logger;
  /** Wraps the store of this dag-processor. */
  wrap?: (store: DagFileStore) => DagFileStore;
};

export type ProcessorRig = {
  createFolder(): string;
  /** For one bundle, `dags`, or for those of the settings. */
  createProcessor(folder: string, settings?: ProcessorSettings): DagProcessor;
  createStore(settings?: { staleDagThresholdSec?: number | undefined }): DagFileStore;
  /** `dagId@bundle:file` of the DAGs that are not stale. */
  active(): Promise<string[]>;
  /** Error messages by `bundle:file`. */
  errors(): Promise<Record<string, string>>;
  close(): Promise<void>;
};

export function openProcessorRig(database: TestDatabase): ProcessorRig {
  const folders: string[] = [];
  const processors: DagProcessor[] = [];
  const createFolder = () => {
    const folder = mkdtempSync(join(tmpdir(), "baram-dags-"));
    folders.push(folder);
    return folder;
  };
  const cacheDir = createFolder();
  const createStore: ProcessorRig["createStore"] = ({ staleDagThresholdSec } = {}) =>
    createSqlDagFileStore(database.store, {
      pausedAtCreation: false,
      activeBundles: [],
      executors: [{ name: "LocalExecutor", alias: null }],
      faultForExecutor: () => null,
      ...(staleDagThresholdSec === undefined ? {} : { staleDagThresholdSec }),
    });
  return {
    createFolder,
    createStore,
    createProcessor(folder, { logger = silentLogger, wrap = (store: DagFileStore) => store, ...options } = {}) {
      const store = wrap(createStore({ staleDagThresholdSec: options.staleDagThresholdSec }));
      const processor = createDagProcessor(
        { store, clock: systemClock, logger, metrics: silentMetrics },
        {
          bundles: [{ name: "dags", path: folder }],
          cacheDir,
          environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
          ...options,
        },
      );
      processors.push(processor);
      return processor;
    },
    async active() {
      const { rows } = await database.store.query<{ found: string }>(
        "select dag_id || '@' || bundle_name || ':' || filename as found from dag where not is_stale order by 1",
      );
      return rows.map((row) => row.found);
    },
    async errors() {
      const rows = await allImportErrors(database.store);
      return Object.fromEntries(rows.map((row) => [`${row.bundleName}:${row.filename}`, row.message]));
    },
    async close() {
      await Promise.all(processors.map((processor) => processor.stop()));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** With a modification time one minute ago, so that it counts as settled. */
export async function writeDagFile(folder: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
  const aMinuteAgo = new Date(Date.now() - 60_000);
  await utimes(join(folder, path), aMinuteAgo, aMinuteAgo);
}

/** A DAG file with these DAGs. */
export function dagFileText(dagIds: readonly string[], tag = "t"): string {
  const dags = dagIds.map(
    (dagId) => `dag({ dagId: "${dagId}", schedule: "@daily", startDate: "2024-01-01", tags: ["${tag}"] }, () => {});`,
  );
  return `import { dag } from "baram";\n${dags.join("\n")}\n`;
}
