/** A folder of DAG files with a real dag-processor, in this process or in a separate one, and its results in the database. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDagProcessor } from "../../src/dag-files/index.ts";
import { createSqlDagFileStore } from "../../src/main/dag-processor/sql-dag-file-store.ts";
import {
  findPackageRoot,
  killMarked,
  type ProcessMark,
  silentLogger,
  silentMetrics,
  sleep,
  systemClock,
} from "../../src/platform/index.ts";
import { allImportErrors } from "../../src/store/index.ts";
import type { TestDatabase } from "../support/database.ts";
import { urlOf } from "../support/own-server.ts";

export type DagFolder = {
  readonly path: string;
  write(name: string, text: string): Promise<void>;
  /** Loads new and changed files. */
  process(): Promise<void>;
  /** File name → message. */
  errors(): Promise<Map<string, string>>;
  close(): Promise<void>;
};

export async function openDagFolder(database: TestDatabase): Promise<DagFolder> {
  const path = mkdtempSync(join(tmpdir(), "baram-chaos-dags-"));
  const options = {
    pausedAtCreation: false,
    activeBundles: [],
    executors: [{ name: "LocalExecutor", alias: null }],
    faultForExecutor: () => null,
  };
  const processor = createDagProcessor(
    { store: createSqlDagFileStore(database.store, options), clock: systemClock, logger: silentLogger, metrics: silentMetrics },
    {
      // A separate bundle: DAGs that the test stored in the database directly belong to another one.
      bundles: [{ name: "zoo", path }],
      cacheDir: join(path, ".cache"),
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    },
  );
  return {
    path,
    async write(name, text) {
      await writeFile(join(path, name), text);
      // With a modification time one minute ago, so that it counts as settled.
      const aMinuteAgo = new Date(Date.now() - 60_000);
      await utimes(join(path, name), aMinuteAgo, aMinuteAgo);
    },
    async process() {
      await processor.processOnce();
    },
    errors: () => errorsIn(database),
    async close() {
      await processor.stop();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

async function errorsIn(database: TestDatabase): Promise<Map<string, string>> {
  const errors = await allImportErrors(database.store);
  return new Map(errors.map((error) => [error.filename, error.message]));
}

export type ProcessedFolder = Pick<DagFolder, "write" | "close"> & {
  /** Waits until the DAG is in the database; throws after `timeoutMs`. */
  untilDag(dagId: string, timeoutMs: number): Promise<void>;
  /** Waits until this many files have an error, or until the timeout. */
  untilErrors(count: number, timeoutMs: number): Promise<Map<string, string>>;
  isAlive(): boolean;
};

/** The role in a separate process, so that its work takes no time from the schedulers of this process. */
export async function startDagProcessor(
  database: TestDatabase,
  environment: Readonly<Record<string, string>>,
): Promise<ProcessedFolder> {
  const mark: ProcessMark = { name: "CHAOS_RIG", value: randomUUID() };
  const home = mkdtempSync(join(tmpdir(), "baram-chaos-dags-"));
  const path = join(home, "dags");
  mkdirSync(path);
  const entry = join(findPackageRoot(), "tests", "support", "child-role.mjs");
  const child = spawn(process.execPath, [entry, "dag-processor"], {
    env: {
      PATH: process.env.PATH,
      BARAM_HOME: home,
      BARAM__CORE__DAGS_FOLDER: path,
      BARAM__CORE__LOAD_EXAMPLES: "false",
      BARAM__DATABASE__URL: urlOf(database.address),
      ...environment,
      [mark.name]: mark.value,
    },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const until = async (holds: () => Promise<boolean>, timeoutMs: number) => {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      if (await holds()) return true;
      await sleep(50);
    }
    return false;
  };
  return {
    write: (name, text) => writeFile(join(path, name), text),
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async untilDag(dagId, timeoutMs) {
      const find = async () => (await database.store.query("select 1 from dag where dag_id = $1", [dagId])).rows.length > 0;
      if (!(await until(find, timeoutMs))) throw new Error(`DAG ${dagId} was not read within ${timeoutMs / 1_000} s`);
    },
    async untilErrors(count, timeoutMs) {
      await until(async () => (await errorsIn(database)).size >= count, timeoutMs);
      return errorsIn(database);
    },
    async close() {
      child.kill("SIGTERM");
      await Promise.race([ended, sleep(5_000)]);
      child.kill("SIGKILL");
      await ended;
      killMarked(mark);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
