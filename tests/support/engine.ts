/**
 * A complete engine in a test: its own database, the execution API on a free port, a scheduler, and real supervisor and runner
 * processes.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { serve } from "@hono/node-server";
import { Hono, type MiddlewareHandler } from "hono";
import { type Config, environmentSecrets, loadConfig, readEncryptionKey, readJwtSecret } from "../../src/config/index.ts";
import type { DagRunState, JsonObject, TaskInstanceState } from "../../src/contracts/index.ts";
import { createExecutionApi } from "../../src/execution-api/index.ts";
import { distFile } from "../../src/main/dist-file.ts";
import { executorNames } from "../../src/main/executors.ts";
import {
  createConfiguredDagProcessor,
  ensureDefaultPool,
  type SchedulerPart,
  startSchedulerPart,
  startTriggererPart,
  type TriggererPart,
} from "../../src/main/index.ts";
import { createMetrics } from "../../src/main/metrics/index.ts";
import { createLogger, createTokens, type Logger, silentLogger, systemClock } from "../../src/platform/index.ts";
import { createDagCache, createDagRun } from "../../src/scheduler/index.ts";
import { createCipher, findRun, type Store } from "../../src/store/index.ts";
import { createFolderLogStore, createLogReceiver } from "../../src/task-logs/index.ts";
import type { PausePoint } from "../../src/triggerer/index.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

export type Engine = {
  readonly store: Store;
  readonly database: TestDatabase;
  readonly config: Config;
  readonly home: string;
  readonly apiUrl: string;
  scheduler(): SchedulerPart;
  /** Another triggerer with its own options; it ends with the engine. */
  startTriggerer(environment?: Record<string, string>, pause?: (point: PausePoint) => Promise<void>): Promise<TriggererPart>;
  /** Writes DAG files into the folder and loads them. */
  load(files: Record<string, string>): Promise<void>;
  trigger(dagId: string, options?: { conf?: JsonObject; logicalDate?: Date; runId?: string }): Promise<string>;
  /** Waits until the run has ended. */
  finished(dagId: string, runId: string, timeoutMs?: number): Promise<DagRunState>;
  /** Task id → state; mapped instances as `id[0]`. */
  states(dagId: string, runId: string): Promise<Record<string, TaskInstanceState | null>>;
  /** The log lines of a try. */
  stop(): Promise<void>;
};

export type EngineOptions = {
  environment?: Record<string, string>;
  withScheduler?: boolean;
  /** Also loads the examples, as in standalone. */
  withExamples?: boolean;
  /** Default: a clone of the template database. */
  database?: TestDatabase;
  logger?: Logger;
  /** Middleware between workers and the execution API: a test can delay, repeat or drop requests. */
  wire?: MiddlewareHandler;
};

export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const database = options.database ?? (await createTestDatabase());
  const home = mkdtempSync(join(tmpdir(), "baram-engine-"));
  const dagsFolder = options.environment?.BARAM__CORE__DAGS_FOLDER ?? join(home, "dags");
  mkdirSync(dagsFolder, { recursive: true });
  const config = loadConfig({
    BARAM_HOME: home,
    BARAM__CORE__DAGS_FOLDER: dagsFolder,
    BARAM__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
    BARAM__CORE__PARALLELISM: "8",
    BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.5",
    ...options.environment,
  });
  const logger = options.logger ?? (process.env.BARAM_TEST_LOG ? createLogger({ level: "debug", role: "engine" }) : silentLogger);
  const { store } = database;
  await ensureDefaultPool(store, 128);
  const defaultExecutor = executorNames(config)[0] ?? "";
  const metrics = createMetrics(config, logger);
  const tokens = createTokens(readJwtSecret(config));
  const { base_log_folder: folder, max_file_bytes: maxFileBytes } = config.logging;
  const logs = createLogReceiver({ folder, maxFileBytes }, distFile("task-logs/receiver-thread.js"));
  const api = createExecutionApi(
    {
      store: database.open(),
      dags: createDagCache(),
      tokens,
      cipher: createCipher(readEncryptionKey(config)),
      logs,
      logStore: createFolderLogStore(folder),
      secrets: environmentSecrets(options.environment ?? {}),
      clock: systemClock,
      logger,
      metrics: metrics.metrics,
    },
    {
      tokenTtlSec: config.execution_api.jwt_expiration_time,
      xcomMaxBytes: config.xcom.max_size_bytes,
      maxMapLength: config.core.max_map_length,
      templatedFieldMaxLength: config.core.max_templated_field_length,
      allowedRunId: /^/,
      defaultExecutor,
      allowTriggerInFuture: config.scheduler.allow_trigger_in_future,
      workerLostAfterSec: config.workers.lost_after_sec,
    },
  );
  const app = new Hono();
  if (options.wire) app.use(options.wire);
  app.route("/execution", api);
  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const bound = server.address();
  const apiUrl = `http://127.0.0.1:${typeof bound === "object" && bound ? bound.port : 0}`;
  let scheduler: SchedulerPart | null = null;
  if (options.withScheduler !== false) scheduler = await startSchedulerPart(config, database.open(), apiUrl, logger, metrics);
  const cache = createDagCache();
  const triggerers: TriggererPart[] = [];
  const environment = {
    BARAM_HOME: home,
    BARAM__CORE__DAGS_FOLDER: dagsFolder,
    BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.5",
    ...options.environment,
  };

  return {
    store,
    database,
    config,
    home,
    apiUrl,
    scheduler() {
      if (!scheduler) throw new Error("this engine has no scheduler");
      return scheduler;
    },
    async startTriggerer(own = {}, pause) {
      const triggerer = await startTriggererPart(
        loadConfig({ ...environment, ...own }),
        database.open(),
        logger,
        undefined,
        pause,
      );
      triggerers.push(triggerer);
      return triggerer;
    },
    async load(files) {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(dagsFolder, name)), { recursive: true });
        writeFileSync(join(dagsFolder, name), text);
      }
      const processor = createConfiguredDagProcessor(
        config,
        store,
        logger,
        { withExamples: options.withExamples ?? false },
        metrics.metrics,
      );
      await processor.processOnce();
      await processor.stop();
      const { rows } = await store.query<{ filename: string; message: string }>("select filename, message from import_error");
      if (rows.length > 0) throw new Error(`import error: ${rows.map((row) => `${row.filename}: ${row.message}`).join("; ")}`);
    },
    async trigger(dagId, { conf = {}, logicalDate, runId } = {}) {
      const request = { dagId, conf, triggeredBy: "test" as const, logicalDate: logicalDate ?? null, runId: runId ?? null };
      return (await createDagRun(store, cache, defaultExecutor, request, new Date())).runId;
    },
    async finished(dagId, runId, timeoutMs = 30_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const run = await findRun(store, dagId, runId);
        if (run?.state === "success" || run?.state === "failed") return run.state;
        if (Date.now() > deadline) {
          const { rows } = await store.query(
            "select task_id, state, try_number, queued_dttm from task_instance where dag_id = $1 and run_id = $2",
            [dagId, runId],
          );
          throw new Error(`run ${runId} is ${run?.state} after ${timeoutMs} ms: ${JSON.stringify(rows)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async states(dagId, runId) {
      const { rows } = await store.query<{ task_id: string; map_index: number; state: TaskInstanceState | null }>(
        "select task_id, map_index, state from task_instance where dag_id = $1 and run_id = $2 order by task_id, map_index",
        [dagId, runId],
      );
      return Object.fromEntries(
        rows.map((row) => [row.map_index >= 0 ? `${row.task_id}[${row.map_index}]` : row.task_id, row.state]),
      );
    },
    async stop() {
      await Promise.all(triggerers.map((triggerer) => triggerer.stop()));
      await scheduler?.stop();
      await metrics.close();
      server.close();
      await logs.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await database.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
