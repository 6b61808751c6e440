// A standalone Baram for the bench: a new BARAM_HOME, the real command, the real database with full durability.
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../dist/platform/index.js";
import { createDagCache, createDagRun } from "../dist/scheduler/index.js";
import { findRun, openStore } from "../dist/store/index.js";

const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/**
 * Removed only when the bench ends: for minutes after a folder with thousands of logs was deleted, ext4 checks each of its inodes
 * again whenever a file is created, which took a third of both cores' time in the following rows.
 */
const folders = [];
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const counter = new URL("./count-statements.mjs", import.meta.url).href;

/** Starts it with these DAG files and resolves when every DAG in `dagIds` is loaded. */
export async function startStandalone(files, dagIds, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), "baram-bench-"));
  folders.push(folder);
  // Readable for others, so that a PostgreSQL that root must run under another account can access its folder here.
  chmodSync(folder, 0o755);
  const home = join(folder, "home");
  const dags = join(folder, "dags");
  mkdirSync(dags, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dags, name), text);
  const trace = join(folder, "trace.ndjson");
  const counts = join(folder, "statements.json");
  // Its log at the default level: one line for each run and each try, as part of the measured work.
  const log = join(folder, "log.ndjson");
  const child = spawn(process.execPath, ["--import", counter, cli, "standalone"], {
    cwd: folder,
    env: {
      ...process.env,
      BARAM_HOME: home,
      BARAM__CORE__DAGS_FOLDER: dags,
      BARAM__CORE__LOAD_EXAMPLES: "false",
      BARAM__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
      BARAM__API__PORT: "0",
      BENCH_TRACE: trace,
      BARAM__WORKERS__PASS_ENVIRONMENT: "BENCH_TRACE",
      BENCH_STATEMENTS: counts,
      ...environment,
    },
    stdio: ["ignore", "ignore", openSync(log, "w")],
  });
  const poll = (check) => until(check, child, log);
  const password = await poll(
    () => existsSync(join(home, "postgres_password")) && readFileSync(join(home, "postgres_password"), "utf8").trim(),
  );
  const socket = await poll(() => socketFolder(home));
  const address = { host: socket, port: 5432, user: "baram", password, database: "baram" };
  const store = openStore({ address, poolSize: 2, retryWindowMs: 10_000, applicationName: "bench", logger: silentLogger });
  await poll(async () => {
    const { rows } = await store
      .query("select count(*)::int as n from dag where dag_id = any($1)", [dagIds])
      .catch(() => ({ rows: [] }));
    return rows[0]?.n === dagIds.length;
  });
  const cache = createDagCache();
  return {
    pid: child.pid,
    home,
    store,
    trace,
    async trigger(dagId) {
      writeFileSync(trace, "");
      const triggeredAt = performance.timeOrigin + performance.now();
      const { runId } = await createDagRun(
        store,
        cache,
        environment.BARAM__CORE__EXECUTOR ?? "LocalExecutor",
        { dagId, triggeredBy: "test" },
        new Date(),
      );
      return { runId, triggeredAt };
    },
    async finished(dagId, runId) {
      const run = await poll(async () => {
        const found = await findRun(store, dagId, runId);
        return found && (found.state === "success" || found.state === "failed") ? found : null;
      });
      if (run.state !== "success") throw new Error(`run ${runId} of ${dagId} ended as ${run.state}`);
      return readFileSync(trace, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    },
    /** Number of SQL statements that the process has sent so far: scheduler, API and dag-processor together. */
    async statements() {
      rmSync(counts, { force: true });
      child.kill("SIGUSR2");
      return poll(() => {
        try {
          return JSON.parse(readFileSync(counts, "utf8")).count;
        } catch {
          return null;
        }
      });
    },
    async stop() {
      await store.close();
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}

/** Folder of the socket of this home's PostgreSQL; root keeps it elsewhere if BARAM_HOME is not accessible to others. */
function socketFolder(home) {
  const wanted = join(home, "postgres", "run");
  return existsSync(join(wanted, ".s.PGSQL.5432")) ? wanted : null;
}

async function until(check, child, log) {
  for (let waited = 0; waited < 120_000; waited += 20) {
    if (child.exitCode !== null)
      throw new Error(`standalone ended with exit code ${child.exitCode}: ${readFileSync(log, "utf8").slice(-2_000)}`);
    const result = await check();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("waited two minutes in vain");
}

/** Pids of the process and all its descendants, including the embedded PostgreSQL. */
export function processTree(root) {
  const parentOf = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parentOf.set(Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]));
    } catch {
      // ended in between
    }
  }
  const tree = new Set([root]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, parent] of parentOf) {
      if (!tree.has(pid) && tree.has(parent)) {
        tree.add(pid);
        grew = true;
      }
    }
  }
  return [...tree];
}
