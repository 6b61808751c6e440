// The scheduler alone: its executor immediately reports each workload as a success, so only the scheduling decisions are
// measured.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serializedDagSchema } from "../dist/contracts/index.js";
import { createTokens, silentLogger, silentMetrics, systemClock } from "../dist/platform/index.js";
import { createDagCache, createDagRun, createSchedulerMemory, finishByOutcome, startScheduler } from "../dist/scheduler/index.js";
import {
  ensurePool,
  findRun,
  migrate,
  openStore,
  saveDag,
  saveModule,
  saveVersion,
  startEmbeddedServer,
} from "../dist/store/index.js";
import { rowOf } from "./report.mjs";

const TASKS = 10_000;
export const SCHEDULER_OPTIONS = {
  parallelism: 10_000,
  maxRunsToCreate: 10,
  maxRunsToEvaluate: 20,
  maxInstancesPerQuery: 512,
  createScheduledRuns: true,
  fullScanSec: 60,
  idleSleepSec: 1,
  heartbeatSec: 5,
  healthThresholdSec: 30,
  orphanCheckSec: 15,
  silentTrySec: 40,
  silentTryCheckSec: 5,
  queuedTimeoutSec: 600,
  queuedTimeoutCheckSec: 30,
  lazarusSec: 300,
  lazarusAttempts: 3,
  triggerTimeoutCheckSec: 15,
  maxCallbacks: 20,
  maxPasses: -1,
  countIdlePassesOnly: false,
  runsWithRenderedFields: 30,
  poolMetricsSec: 5,
  instanceMetricsSec: 30,
  runMetricsSec: 30,
};
/** A run takes three seconds; after this time it counts as hanging. */
const LIMIT_MS = 120_000;

export async function measureSchedulerAlone(runs) {
  const home = mkdtempSync(join(tmpdir(), "baram-bench-"));
  const server = await startEmbeddedServer({ home, password: "bench", logger: silentLogger, takeOver: true });
  const open = () =>
    openStore({ address: server.address, poolSize: 4, retryWindowMs: 5_000, applicationName: "bench", logger: silentLogger });
  const store = open();
  const workers = open();
  const outside = open();
  await migrate(store, silentLogger);
  await ensurePool(store, "default_pool", -1, "");
  await saveWideDag(store);
  const dags = createDagCache();
  const perSecond = [];
  const statementsPerTask = [];
  const executor = instantExecutor(workers, dags);
  const scheduler = await startScheduler(
    {
      store,
      clock: systemClock,
      logger: silentLogger,
      metrics: silentMetrics,
      tokens: createTokens(new Uint8Array(48).fill(7)),
      dags,
      executors: new Map([["LocalExecutor", executor]]),
      ...createSchedulerMemory(),
      noteInTryLog: async () => {},
      pause: async () => {},
    },
    SCHEDULER_OPTIONS,
  );
  try {
    for (let at = 0; at <= runs; at++) {
      const before = store.statementCount() + workers.statementCount();
      const startedAt = performance.now();
      const { runId } = await createDagRun(outside, dags, "LocalExecutor", { dagId: "wide", triggeredBy: "test" }, new Date());
      for (;;) {
        const run = await findRun(outside, "wide", runId);
        if (run?.state === "success") break;
        if (run?.state === "failed") throw new Error("the run failed");
        if (performance.now() - startedAt > LIMIT_MS) throw new Error(`the run did not end within ${LIMIT_MS / 1_000} s`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (at === 0) continue;
      perSecond.push(TASKS / ((performance.now() - startedAt) / 1_000));
      statementsPerTask.push((store.statementCount() + workers.statementCount() - before) / TASKS);
    }
  } finally {
    await scheduler.stop();
    await Promise.all([store.close(), workers.close(), outside.close()]);
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
  return [
    rowOf("scheduler alone, instant executor, run of 10,000 tasks", "tasks/s", perSecond, { atLeast: 3_000 }, 0),
    rowOf("… SQL statements per task", "", statementsPerTask, { atMost: 5 }, 3),
  ];
}

/** 100 tasks in each of 100 layers, each downstream of one task of the previous layer. */
async function saveWideDag(store) {
  const tasks = [];
  for (let layer = 0; layer < 100; layer++) {
    for (let at = 0; at < 100; at++) {
      tasks.push({
        taskId: `t${layer}_${at}`,
        operator: "task",
        kind: "function",
        upstream: layer === 0 ? [] : [`t${layer - 1}_${at}`],
      });
    }
  }
  const dag = serializedDagSchema.parse({
    schemaVersion: 1,
    dagId: "wide",
    timetable: { type: "null" },
    maxActiveTasks: 10_000,
    tasks,
  });
  await saveModule(store, { hash: "0".repeat(64), code: Buffer.alloc(0), externals: [] });
  await saveDag(store, {
    dag,
    bundleName: "bench",
    relativePath: "wide.ts",
    timetableSummary: "",
    scheduleHash: "",
    isPaused: false,
  });
  await saveVersion(store, { dag, dagHash: "bench", moduleHash: "0".repeat(64) });
}

export function instantExecutor(store, dags) {
  const waiting = [];
  let busy = false;
  const flush = async () => {
    if (busy) return;
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 200);
      await finishByOutcome(
        store,
        dags,
        batch.map(({ ti }) => ({ id: ti.id, outcome: { state: "success", xcoms: [], skipTasks: [] } })),
        { leaving: ["queued"], silentForSec: null },
      );
    }
    busy = false;
  };
  return {
    name: "LocalExecutor",
    start: async () => {},
    slotsAvailable: () => 10_000,
    queue(workloads) {
      waiting.push(...workloads);
      void flush();
    },
    takeEvents: () => [],
    adopt: async () => [],
    revoke() {},
    end: async () => {},
  };
}
