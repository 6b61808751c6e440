// The cost of lists on a database with history: every list of the API over 1,000 DAGs, 10,000 runs and 1,000,000 task instances, and a pass
// of the scheduler with 50,000 instances that wait for a full pool.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serializedDagSchema } from "../dist/contracts/index.js";
import { createTokens, silentLogger, silentMetrics, systemClock } from "../dist/platform/index.js";
import { createKnownUsers, createPublicApi } from "../dist/public-api/index.js";
import { createDagCache, createSchedulerMemory, pass } from "../dist/scheduler/index.js";
import {
  addUser,
  createCipher,
  findUser,
  migrate,
  openStore,
  poolUsers,
  startEmbeddedServer,
  startJob,
} from "../dist/store/index.js";
import { createFolderLogStore } from "../dist/task-logs/index.js";
import { percentile, rowOf } from "./report.mjs";
import { instantExecutor, SCHEDULER_OPTIONS } from "./scheduler-row.mjs";
import { FULL_SIZE, seedHistory } from "./seed-history.mjs";

/** Number of requests per list for each run of the bench; the first few warm the cache and are not counted. */
const SAMPLES_PER_RUN = 20;
const WARM_UP = 5;
const TARGET_MS = 100;
const PASS_TARGET_MS = 15;

const instances = "/api/v2/dags/~/dagRuns/~/taskInstances";
const big = "/api/v2/dags/big/dagRuns/~/taskInstances";
const runs = "/api/v2/dags/~/dagRuns";
const xcoms = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries";
export const READS = {
  "task instances of all DAGs": instances,
  "… offset 900,000": `${instances}?offset=900000`,
  "… -start_date": `${instances}?order_by=-start_date`,
  "… -start_date, offset 900,000": `${instances}?order_by=-start_date&offset=900000`,
  "… -end_date": `${instances}?order_by=-end_date`,
  "… -logical_date": `${instances}?order_by=-logical_date`,
  "… -run_after, offset 900,000": `${instances}?order_by=-run_after&offset=900000`,
  "… state=failed": `${instances}?state=failed`,
  "… state=failed, -start_date": `${instances}?state=failed&order_by=-start_date`,
  "… state=success": `${instances}?state=success`,
  "… state=scheduled": `${instances}?state=scheduled`,
  "… an operator of 1 in 100": `${instances}?operator=SqlSensor`,
  "… an operator of none": `${instances}?operator=NoSuchOperator`,
  "… a pool of 1 in 10": `${instances}?pool=warehouse`,
  "… a queue of 1 in 200": `${instances}?queue=gpu`,
  "… try_number=2": `${instances}?try_number=2`,
  "… version_number=129": `${instances}?version_number=129`,
  "… since a date": `${instances}?start_date_gte=2024-01-09T00:00:00Z`,
  "one DAG with 100,000": big,
  "… its offset 90,000": `${big}?offset=90000`,
  "… its -start_date": `${big}?order_by=-start_date`,
  "… its start_date": `${big}?order_by=start_date`,
  "… its state=failed": `${big}?state=failed`,
  "runs of all DAGs, -run_after": `${runs}?order_by=-run_after`,
  "… failed runs, -start_date": `${runs}?state=failed&order_by=-start_date`,
  "… runs by -duration": `${runs}?order_by=-duration`,
  "XComs of all DAGs, -timestamp": `${xcoms}?order_by=-timestamp`,
  "… of one DAG": "/api/v2/dags/dag_0004/dagRuns/~/taskInstances/~/xcomEntries",
  "event log, -when": "/api/v2/eventLogs?order_by=-when",
  "… of one event": "/api/v2/eventLogs?event=clear_task_instances&order_by=-when",
  "DAGs, -last_run_start_date": "/api/v2/dags?order_by=-last_run_start_date",
  "… last_dag_run_state=failed": "/api/v2/dags?last_dag_run_state=failed",
  "DAG versions": "/api/v2/dags/~/dagVersions?order_by=-created_at",
  "DAG tags": "/api/v2/dagTags",
  "DAG warnings": "/api/v2/dagWarnings",
  "import errors": "/api/v2/importErrors?order_by=-timestamp",
  pools: "/api/v2/pools",
  jobs: "/api/v2/jobs",
};

export async function measureReads(runsAsked) {
  const samples = runsAsked * SAMPLES_PER_RUN;
  const home = mkdtempSync(join(tmpdir(), "baram-bench-"));
  const server = await startEmbeddedServer({ home, password: "bench", logger: silentLogger, takeOver: true });
  const store = openStore({
    address: server.address,
    poolSize: 4,
    retryWindowMs: 5_000,
    applicationName: "bench",
    logger: silentLogger,
  });
  try {
    await migrate(store, silentLogger);
    const task = { taskId: "t", operator: "task", kind: "function", upstream: [] };
    const dag = serializedDagSchema.parse({ schemaVersion: 1, dagId: "seeded", timetable: { type: "null" }, tasks: [task] });
    const startedAt = performance.now();
    await seedHistory(store, FULL_SIZE, dag);
    process.stderr.write(`seeded in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n`);
    return await measureSeeded(store, home, samples);
  } finally {
    await store.close();
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

export async function measureSeeded(store, home, samples) {
  const rows = [];
  const time = async (what, work, target, count = samples) => {
    const times = [];
    for (let at = -WARM_UP; at < count; at++) {
      const startedAt = performance.now();
      await work();
      if (at >= 0) times.push(performance.now() - startedAt);
    }
    rows.push({ ...rowOf(`${what}, p50`, "ms", times, {}, 1) });
    rows.push(rowOf("  p99", "ms", [percentile(times, 0.99)], { atMost: target }, 1));
  };
  const ask = await createAsker(store, home);
  for (const [what, path] of Object.entries(READS)) await time(what, () => ask(path), TARGET_MS);
  await time("pools delete: who uses it", () => poolUsers(store, "nobody", 6), TARGET_MS);
  const scheduler = await createScheduler(store);
  await time("a pass with 50,000 before a full pool", scheduler, PASS_TARGET_MS);
  return rows;
}

async function createAsker(store, home) {
  const tokens = createTokens(new Uint8Array(48).fill(7));
  const aliveSec = { SchedulerJob: 30, DagProcessorJob: 30, TriggererJob: 30, ApiServerJob: 30, WorkerJob: 30 };
  const app = createPublicApi(
    {
      store,
      dags: createDagCache(),
      tokens,
      users: createKnownUsers(store, systemClock),
      hashes: null,
      logs: createFolderLogStore(home),
      cipher: createCipher(Buffer.alloc(32)),
      clock: systemClock,
      logger: silentLogger,
      metrics: silentMetrics,
      defaultExecutor: "LocalExecutor",
      executors: ["LocalExecutor"],
    },
    {
      tokenTtlSec: 3_600,
      cliTokenTtlSec: 60,
      fallbackPageLimit: 50,
      maximumPageLimit: 100,
      allowTriggerInFuture: false,
      healthThresholdSec: aliveSec,
      allowedRunId: /^/,
      workerLostAfterSec: 30,
      trustedProxies: null,
      version: "bench",
    },
  );
  await addUser(store, { username: "bench", passwordHash: "none", role: "admin" });
  const { tokenVersion: version } = await findUser(store, "bench");
  const token = await tokens.sign("baram:user", { subject: "bench", version }, 3_600);
  return async (path) => {
    const response = await app.request(path, { headers: { authorization: `Bearer ${token}` } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`);
  };
}

/** Its tasks never end, so each pass finds the same state. */
async function createScheduler(store) {
  const dags = createDagCache();
  const executor = { ...instantExecutor(store, dags), queue() {} };
  const jobId = await startJob(store, { type: "SchedulerJob", hostname: "bench", pid: 1 });
  const resources = {
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
  };
  return () => pass(resources, { ...SCHEDULER_OPTIONS, jobId: () => jobId });
}
