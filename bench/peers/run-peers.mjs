// The same two workloads on the other systems that can be installed here, each with its isolation label and its own database.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../dist/platform/index.js";
import { openStore, startEmbeddedServer } from "../../dist/store/index.js";
import { rowOf } from "../report.mjs";
import { installNpm, installPip, installRedis } from "./install.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const AIRFLOW = "3.3.2";

/** Isolation: P = a process per task, W = a warm process per task, T = all tasks in one process. */
const PEERS = [
  { name: "graphile-worker 0.16.6", isolation: "T", measure: measureGraphileWorker },
  { name: "BullMQ 6.7.0 on Redis", isolation: "T", measure: measureBullmq },
  { name: "DBOS 5.3.0", isolation: "T", measure: measureDbos },
  { name: "Prefect 3.9.1", isolation: "T", measure: measurePrefect },
  { name: `Airflow ${AIRFLOW}, LocalExecutor`, isolation: "P", measure: measureAirflow },
];

export async function measurePeers(runs, only) {
  const rows = [];
  for (const { name, isolation, measure } of PEERS) {
    if (only && !name.toLowerCase().startsWith(only.toLowerCase())) continue;
    process.stderr.write(`peer ${name} …\n`);
    try {
      const { chain, fanOut } = await withDatabase((database) => measure(runs, database));
      rows.push(rowOf(`${name} [${isolation}]: 40 light tasks in sequence`, "s", chain, {}, 3));
      rows.push(rowOf(`${name} [${isolation}]: fan-out of 1,000 no-op tasks`, "1/s", fanOut, {}, 0));
    } catch (error) {
      process.stderr.write(`peer ${name} cannot be measured here: ${error.message}\n`);
    }
  }
  return rows;
}

async function withDatabase(work) {
  const home = mkdtempSync(join(tmpdir(), "baram-peer-"));
  chmodSync(home, 0o755);
  const server = await startEmbeddedServer({ home, password: "bench", logger: silentLogger, takeOver: true });
  const { address } = server;
  const store = openStore({ address, poolSize: 1, retryWindowMs: 5_000, applicationName: "bench", logger: silentLogger });
  try {
    await store.query("create database peer");
    const url = (scheme) =>
      `${scheme}://${address.user}:${address.password}@/peer?host=${encodeURIComponent(address.host)}&port=${address.port}`;
    return await work({ url, home });
  } finally {
    await store.close();
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function measureGraphileWorker(runs, { url }) {
  const folder = installNpm("graphile-worker", ["graphile-worker@0.16.6"]);
  return drive(process.execPath, [here("graphile-worker.mjs"), folder, url("postgres"), String(runs)]);
}

async function measureBullmq(runs, { home }) {
  const folder = installNpm("bullmq", ["bullmq@6.7.0", "ioredis@5"]);
  const port = await freePort();
  // Its usual durability in production: every command in the append-only file, with an fsync each second.
  const redis = spawn(
    installRedis(),
    ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
    { stdio: "ignore" },
  );
  try {
    await listening(port);
    return await drive(process.execPath, [here("bullmq.mjs"), folder, String(port), String(runs)]);
  } finally {
    const gone = new Promise((resolve) => redis.once("exit", resolve));
    redis.kill("SIGTERM");
    await gone;
  }
}

async function measureDbos(runs, { url }) {
  const folder = installNpm("dbos", ["@dbos-inc/dbos-sdk@5.3.0"]);
  // DBOS needs a host name in the URL; the socket's folder in the query overrides it.
  return drive(process.execPath, [here("dbos.mjs"), folder, url("postgresql").replace("@/", "@localhost/"), String(runs)]);
}

async function measurePrefect(runs, { url, home }) {
  const folder = installPip("prefect", ["prefect==3.9.1"]);
  const port = await freePort();
  const env = {
    ...process.env,
    PREFECT_HOME: join(home, "prefect"),
    PREFECT_API_URL: `http://127.0.0.1:${port}/api`,
    PREFECT_SERVER_DATABASE_CONNECTION_URL: url("postgresql+asyncpg"),
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
    PREFECT_LOGGING_LEVEL: "ERROR",
  };
  const prefect = join(folder, "bin", "prefect");
  const server = spawn(prefect, ["server", "start", "--host", "127.0.0.1", "--port", String(port)], { env, stdio: "ignore" });
  try {
    await answering(`http://127.0.0.1:${port}/api/health`, 120_000);
    return await drive(join(folder, "bin", "python"), [here("prefect_flows.py"), String(Math.min(runs, 3))], env);
  } finally {
    server.kill("SIGTERM");
  }
}

async function measureAirflow(runs, { url, home }) {
  const folder = installPip("airflow", [`apache-airflow==${AIRFLOW}`, "psycopg2-binary", "asyncpg"]);
  const port = await freePort();
  const dags = join(home, "dags");
  const trace = join(home, "trace");
  mkdirSync(dags);
  writeFileSync(join(dags, "peer.py"), readFileSync(here("airflow_dags.py")));
  writeFileSync(trace, "");
  const env = {
    ...process.env,
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    AIRFLOW_HOME: join(home, "airflow"),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: url("postgresql+psycopg2"),
    AIRFLOW__CORE__EXECUTOR: "LocalExecutor",
    AIRFLOW__CORE__DAGS_FOLDER: dags,
    AIRFLOW__CORE__LOAD_EXAMPLES: "False",
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: "False",
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: "True",
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `http://127.0.0.1:${port}/execution/`,
    AIRFLOW__API__PORT: String(port),
    PEER_TRACE: trace,
  };
  const standalone = spawn(join(folder, "bin", "airflow"), ["standalone"], { env, stdio: "ignore", detached: true });
  try {
    const api = `http://127.0.0.1:${port}`;
    await answering(`${api}/api/v2/version`, 180_000);
    const { access_token: token } = await (await fetch(`${api}/auth/token`)).json();
    const call = (path, body) =>
      fetch(`${api}/api/v2/${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    await until(async () => (await call("dags/fan1000")).ok, 180_000, "Airflow has not read the DAGs");
    const run = async (dagId, tasks) => {
      writeFileSync(trace, "");
      const startedAt = Date.now();
      const answer = await call(`dags/${dagId}/dagRuns`, { logical_date: null });
      if (!answer.ok) throw new Error(`Airflow refused the run: ${answer.status} ${await answer.text()}`);
      const ends = () => readFileSync(trace, "utf8").trim().split("\n");
      await until(() => ends().length >= tasks, 900_000, `Airflow has not ended ${dagId}`);
      return Math.max(...ends().map(Number)) - startedAt / 1_000;
    };
    await run("chain40", 40);
    const chain = [];
    for (let at = 0; at < Math.min(runs, 2); at++) chain.push(await run("chain40", 40));
    return { chain, fanOut: [1_000 / (await run("fan1000", 1_000))] };
  } finally {
    process.kill(-standalone.pid, "SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    try {
      process.kill(-standalone.pid, "SIGKILL");
    } catch {
      // ended in time
    }
  }
}

/** Runs a driver and parses the last line of its output. */
function drive(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    const limit = setTimeout(() => child.kill("SIGKILL"), 900_000);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(limit);
      const line = out.trim().split("\n").at(-1) ?? "";
      if (code === 0 && line.startsWith("{")) resolve(JSON.parse(line));
      else
        reject(
          new Error(
            err
              .trim()
              .split("\n")
              .filter((line) => /error/i.test(line))
              .slice(0, 2)
              .join(" ") || `ended with exit code ${code}`,
          ),
        );
    });
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(check, limitMs, otherwise) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    if (await Promise.resolve(check()).catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${limitMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const answering = (url, limitMs) => until(async () => (await fetch(url)).ok, limitMs, `no answer from ${url}`);

async function listening(port) {
  const { connect } = await import("node:net");
  await until(
    () =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => resolve(socket.destroy() !== null));
        socket.once("error", () => resolve(false));
      }),
    10_000,
    "Redis does not listen",
  );
}
