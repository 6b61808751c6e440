// The queue executor: a standalone Baram, Redis, and two workers in separate processes, all on this machine.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTokens } from "../dist/platform/index.js";
import { createDagCache, createDagRun } from "../dist/scheduler/index.js";
import { percentile, rowOf } from "./report.mjs";
import { startStandalone } from "./standalone.mjs";

const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const ensureBrokers = fileURLToPath(new URL("../scripts/ensure-brokers.mjs", import.meta.url));
const EXECUTOR = "QueueExecutor";
const TASKS_PER_SEC = 50;
const LATENCY_TASKS = 500;
/** Until the workers have runners that have loaded this module. */
const WARM_UP_TASKS = 100;

const NOTE = `
import { appendFileSync } from "node:fs";
const clock = () => performance.timeOrigin + performance.now();
const note = async (ctx: any) => {
  const at = clock();
  appendFileSync(process.env.BENCH_TRACE as string, JSON.stringify({ run: ctx.ti.runId, task: ctx.ti.taskId, start: at, end: at }) + "\\n");
};
`;
const FAN = `import { chain, dag, task } from "baram";${NOTE}
export default dag({ dagId: "queue_fan", schedule: null, maxActiveTasks: 1000 }, () => {
  const first = task({ taskId: "first" }, note)();
  const last = task({ taskId: "last" }, note)();
  chain(first, Array.from({ length: 1000 }, (_, at) => task({ taskId: "t" + at }, note)()), last);
});`;
const ONE = `import { dag, task } from "baram";${NOTE}
export default dag({ dagId: "queue_one", schedule: null, maxActiveRuns: 1000 }, () => { task({ taskId: "t" }, note)(); });`;

export async function measureQueue(runs) {
  const ensured = spawnSync(process.execPath, [ensureBrokers], { stdio: "inherit" });
  if (ensured.status !== 0) throw new Error("the broker of the queue rows is missing");
  const folder = mkdtempSync(join(tmpdir(), "baram-bench-queue-"));
  const [redisPort, apiPort] = [await freePort(), await freePort()];
  const redis = spawn("redis-server", ["--port", redisPort, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"], {
    stdio: "ignore",
  });
  const queue = { BARAM__QUEUE__BROKER_URL: `redis://127.0.0.1:${redisPort}` };
  const environment = {
    ...queue,
    BARAM__CORE__EXECUTOR: EXECUTOR,
    // More than the workers' 32 slots: with an empty queue they would wait for the scheduler.
    BARAM__CORE__PARALLELISM: "128",
    BARAM__API__PORT: String(apiPort),
  };
  const workers = [];
  let engine = null;
  try {
    await untilOpen(redisPort);
    engine = await startStandalone({ "fan.ts": FAN, "one.ts": ONE }, ["queue_fan", "queue_one"], environment);
    const secret = new TextEncoder().encode(readFileSync(join(engine.home, "jwt_secret"), "utf8").trim());
    const token = await createTokens(secret).sign("baram:worker", { subject: "w*" }, 3_600);
    for (const name of ["w1", "w2"])
      workers.push(await startWorker(folder, name, { ...queue, token, apiPort, trace: engine.trace }));
    return [...(await fanOut(engine, runs)), ...(await latency(engine))];
  } finally {
    for (const worker of workers) await ended(worker, "SIGTERM");
    await engine?.stop();
    await ended(redis, "SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fanOut(engine, runs) {
  const perSec = [];
  for (let at = 0; at <= runs; at++) {
    const { runId, triggeredAt } = await engine.trigger("queue_fan");
    const lines = await engine.finished("queue_fan", runId);
    const seconds = (Math.max(...lines.map((line) => line.end)) - triggeredAt) / 1_000;
    if (at > 0) perSec.push(1_002 / seconds);
  }
  return [rowOf("queue executor, fan-out of 1,000 over 2 workers, tasks per second", "1/s", perSec, { atLeast: 500 }, 0)];
}

/** The time from a run's creation to the first line of its task, in one steady stream. */
async function latency(engine) {
  const cache = createDagCache();
  const triggered = new Map();
  await engine.trigger("queue_one");
  const startedAt = performance.now();
  for (let at = -WARM_UP_TASKS; at < LATENCY_TASKS; at++) {
    const due = startedAt + ((at + WARM_UP_TASKS) * 1_000) / TASKS_PER_SEC;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const wanted = performance.timeOrigin + performance.now();
    const { runId } = await createDagRun(engine.store, cache, EXECUTOR, { dagId: "queue_one", triggeredBy: "test" }, new Date());
    if (at >= 0) triggered.set(runId, wanted);
  }
  let lines = [];
  for (let waited = 0; waited < 30_000; waited += 50) {
    lines = readFileSync(engine.trace, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ run }) => triggered.has(run));
    if (lines.length >= LATENCY_TASKS) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (lines.length < LATENCY_TASKS) throw new Error(`${lines.length} of ${LATENCY_TASKS} tasks ran`);
  const waits = lines.map(({ run, start }) => start - triggered.get(run));
  const what = `queue executor at ${TASKS_PER_SEC} tasks per second, trigger to start,`;
  return [
    rowOf(`${what} p50`, "ms", [percentile(waits, 0.5)], {}, 1),
    rowOf(`${what} p99`, "ms", [percentile(waits, 0.99)], {}, 1),
  ];
}

function startWorker(folder, name, { token, apiPort, trace, ...queue }) {
  const home = join(folder, name);
  mkdirSync(home);
  const child = spawn(process.execPath, [cli, "worker", "start", "--name", name], {
    cwd: home,
    env: {
      ...process.env,
      ...queue,
      BARAM_HOME: home,
      BARAM__API__BASE_URL: `http://127.0.0.1:${apiPort}`,
      BARAM__WORKERS__TOKEN: token,
      BENCH_TRACE: trace,
      BARAM__WORKERS__PASS_ENVIRONMENT: "BENCH_TRACE",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += chunk;
      if (text.includes("worker started")) resolve(child);
    });
    child.once("exit", () => reject(new Error(`worker ${name} ended: ${text}`)));
  });
}

function ended(child, signal) {
  return new Promise((resolve) => {
    child.once("exit", resolve);
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.kill(signal);
  });
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

async function untilOpen(port) {
  for (let waited = 0; waited < 10_000; waited += 50) {
    const pinged = spawnSync("redis-cli", ["-p", port, "ping"], { encoding: "utf8" });
    if (pinged.stdout?.includes("PONG")) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("redis-server does not answer");
}
