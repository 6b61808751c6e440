// The cost of 1,000 running ECS tasks for the scheduler's loop: the same run on an instant executor, without them and
// with all of them, before and after. The ECS executor is the real one; AWS is a stub that keeps its tasks running.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { serializedDagSchema } from "../dist/contracts/index.js";
import { createEcsExecutor } from "../dist/executors/index.js";
import { createTokens, silentLogger, silentMetrics, systemClock } from "../dist/platform/index.js";
import { createDagCache, createDagRun, createSchedulerMemory, startScheduler } from "../dist/scheduler/index.js";
import {
  beatTries,
  ensurePool,
  findRun,
  migrate,
  openStore,
  saveDag,
  saveModule,
  saveVersion,
  startEmbeddedServer,
  startTries,
} from "../dist/store/index.js";
import { median, rowOf } from "./report.mjs";
import { instantExecutor, SCHEDULER_OPTIONS } from "./scheduler-row.mjs";

const IN_FLIGHT = 1_000;
const LAYERS = 20;
const WIDTH = 100;
const LIMIT_MS = 120_000;
/**
 * Far below the default, so that ECS is polled without a pause: as often as the executor ever does, with 100 tasks per request.
 */
const POLL_MS = 50;
const REQUESTS_PER_SEC_MIN = 5;

export async function measureEcsInFlight(runs) {
  const home = mkdtempSync(join(tmpdir(), "baram-bench-"));
  const server = await startEmbeddedServer({ home, password: "bench", logger: silentLogger, takeOver: true });
  const open = () =>
    openStore({ address: server.address, poolSize: 4, retryWindowMs: 5_000, applicationName: "bench", logger: silentLogger });
  const [store, workers, outside] = [open(), open(), open()];
  const stub = new Worker(new URL("./ecs-stub.mjs", import.meta.url));
  const said = (message) =>
    new Promise((resolve) => {
      stub.once("message", resolve);
      if (message) stub.postMessage(message);
    });
  const { url } = await said(null);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
  });
  await migrate(store, silentLogger);
  await ensurePool(store, "default_pool", -1, "");
  await saveDags(store);
  const dags = createDagCache();
  let passesMs = [];
  const metrics = {
    ...silentMetrics,
    time: (name, _labels, sec) => name === "scheduler.scheduler_loop_duration" && passesMs.push(sec * 1_000),
  };
  let scheduler = null;
  const ecs = createEcsExecutor(
    {
      name: "EcsExecutor",
      parallelism: IN_FLIGHT,
      onEvent: () => scheduler?.wake(),
      region: null,
      connect: null,
      cluster: "main",
      containerName: "baram",
      taskDefinition: "baram",
      runTaskKwargs: { taskDefinition: "baram", networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-0"] } } },
      apiUrl: "http://127.0.0.1:1",
      maxRunTaskAttempts: 3,
      runTaskPerSec: 1_000,
      retryDelayMs: () => 1_000,
      pollMs: POLL_MS,
      missingGraceMs: 60_000,
      findEnded: async () => [],
      checkHealthOnStartup: true,
    },
    silentLogger,
  );
  await ecs.start();
  scheduler = await startScheduler(
    {
      store,
      clock: systemClock,
      logger: silentLogger,
      metrics,
      tokens: createTokens(new Uint8Array(48).fill(7)),
      dags,
      executors: new Map([
        ["LocalExecutor", instantExecutor(workers, dags)],
        ["EcsExecutor", ecs],
      ]),
      ...createSchedulerMemory(),
      noteInTryLog: async () => {},
      pause: async () => {},
    },
    SCHEDULER_OPTIONS,
  );
  const trigger = (dagId) => createDagRun(outside, dags, "LocalExecutor", { dagId, triggeredBy: "test" }, new Date());

  /** The mean duration of a pass during one run of the wide DAG. */
  async function measure() {
    passesMs = [];
    const { runId } = await trigger("wide");
    await until(async () => (await findRun(outside, "wide", runId))?.state === "success", "the run to end");
    return passesMs.reduce((sum, one) => sum + one, 0) / passesMs.length;
  }
  const several = async () => {
    const values = [];
    for (let at = 0; at < runs; at++) values.push(await measure());
    return values;
  };

  let beating;
  try {
    await measure();
    const before = await several();
    await trigger("flying");
    await until(async () => (await launchedOf(outside)).length === IN_FLIGHT, "all ECS tasks to be launched");
    const ids = await launchedOf(outside);
    await startTries(
      outside,
      ids.map((id) => ({ id, hostname: "ecs", unixname: "baram", pid: 1 })),
    );
    // Sends heartbeats as their workers would, by the API.
    beating = setInterval(() => void beatTries(outside, ids), 5_000);
    const { requests: requestsBefore } = await said("count");
    const startedAt = performance.now();
    const during = await several();
    const seconds = (performance.now() - startedAt) / 1_000;
    const { requests } = await said("count");
    const perSecond = (requests - requestsBefore) / seconds;
    if (perSecond < REQUESTS_PER_SEC_MIN)
      throw new Error(`ECS was asked ${perSecond.toFixed(1)} times a second: the tasks were not watched`);
    clearInterval(beating);
    await said("stop tasks");
    await until(() => ecs.slotsAvailable() === IN_FLIGHT, "all ECS tasks to stop");
    await until(async () => (await launchedOf(outside)).length === 0, "their tries to end");
    const none = [...before, ...(await several())];
    return [
      rowOf("mean pass of the scheduler, no ECS task in flight", "ms", none),
      rowOf(`… ${IN_FLIGHT.toLocaleString("en")} ECS tasks in flight, ECS asked without a rest`, "ms", during),
      rowOf("… ratio", "", [median(during) / median(none)], { atMost: 1.2 }),
    ];
  } finally {
    clearInterval(beating);
    await ecs.end(0);
    await scheduler.stop();
    await stub.terminate();
    await Promise.all([store.close(), workers.close(), outside.close()]);
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function launchedOf(store) {
  const { rows } = await store.query(
    "select id from task_instance where dag_id = 'flying' and external_executor_id is not null and state in ('queued', 'running')",
  );
  return rows.map(({ id }) => id);
}

async function until(look, what) {
  const deadline = performance.now() + LIMIT_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited ${LIMIT_MS / 1_000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function saveDags(store) {
  const wide = [];
  for (let layer = 0; layer < LAYERS; layer++)
    for (let at = 0; at < WIDTH; at++)
      wide.push({
        taskId: `t${layer}_${at}`,
        operator: "task",
        kind: "function",
        upstream: layer === 0 ? [] : [`t${layer - 1}_${at}`],
      });
  const flying = Array.from({ length: IN_FLIGHT }, (_, at) => ({
    taskId: `t${at}`,
    operator: "task",
    kind: "function",
    upstream: [],
    executor: "EcsExecutor",
  }));
  await saveModule(store, { hash: "0".repeat(64), code: Buffer.alloc(0), externals: [] });
  for (const [dagId, tasks] of Object.entries({ wide, flying })) {
    const dag = serializedDagSchema.parse({
      schemaVersion: 1,
      dagId,
      timetable: { type: "null" },
      maxActiveTasks: 10_000,
      tasks,
    });
    const file = { bundleName: "bench", relativePath: `${dagId}.ts`, timetableSummary: "", scheduleHash: "", isPaused: false };
    await saveDag(store, { dag, ...file });
    await saveVersion(store, { dag, dagHash: `bench-${dagId}`, moduleHash: "0".repeat(64) });
  }
}
