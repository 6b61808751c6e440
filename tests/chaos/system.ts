/**
 * A whole system of real processes with its own real, durable PostgreSQL, all on loopback, to inject faults into and to check.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, loadConfig, readJwtSecret } from "../../src/config/index.ts";
import { ensureDefaultPool } from "../../src/main/index.ts";
import { createTokens, findPackageRoot, killMarked, type ProcessMark, sleep } from "../../src/platform/index.ts";
import { ensurePool, type Store } from "../../src/store/index.ts";
import { type OwnServer, startOwnServer, urlOf } from "../support/own-server.ts";
import { keepUser } from "../support/user-token.ts";
import type { Sample } from "./checker/history.ts";
import { checkHistory, type Expectation, type History, type Invariant, readHistory, type Verdict } from "./checker/index.ts";
import { type ApiProxy, startProxy } from "./proxy.ts";
import type { Random } from "./random.ts";
import { installRecorder } from "./recorder.ts";
import { dagFile, type Workload } from "./workload.ts";

export type RoleName = "scheduler" | "api-server" | "dag-processor" | "triggerer";

/** Number of processes of each role. Roles that this build does not have are left out. */
export const ROLES: Readonly<Record<RoleName, number>> = { "api-server": 2, scheduler: 3, "dag-processor": 2, triggerer: 2 };

export const PARALLELISM = 6;
const POOL_SIZE = 6;

/** Intervals so short that a lease ends within seconds. */
export const FAST = {
  BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "0.5",
  BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD: "3",
  BARAM__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "0.5",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.5",
  // On an overloaded machine a worker may get no CPU time for seconds.
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "8",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL: "0.5",
  BARAM__SCHEDULER__TASK_QUEUED_TIMEOUT: "15",
  BARAM__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL: "1",
  BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1",
  BARAM__CORE__PARALLELISM: String(PARALLELISM),
  BARAM__DATABASE__POOL_SIZE: String(POOL_SIZE),
  BARAM__WORKERS__GRACEFUL_SHUTDOWN_SEC: "2",
  BARAM__WORKERS__MAX_FAILED_HEARTBEATS: "16",
  BARAM__WORKERS__EXECUTION_API_RETRY_WINDOW: "60",
};

export type SystemOptions = {
  random: Random;
  workload: Workload;
  roles?: Partial<Record<RoleName, number>>;
  environment?: Readonly<Record<string, string>>;
  /** For each process: arguments for Node before the script, and additional environment. `index` counts within its role. */
  each?: (role: RoleName, index: number) => { nodeArguments?: readonly string[]; environment?: Readonly<Record<string, string>> };
  postgresSettings?: readonly string[];
};

export type Role = {
  readonly name: RoleName;
  readonly index: number;
  readonly pid: number;
  /** Set for api-server. */
  readonly port: number | null;
  isAlive(): boolean;
  /** Sends a signal that should end the process, so that its end is expected. */
  end(signal: NodeJS.Signals): void;
  /** Sends a signal after which the end of the process is not expected. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves with its exit code or signal. */
  readonly ended: Promise<string>;
};

export type System = {
  readonly own: OwnServer;
  /** The rig's own connection pool, separate from the system's. */
  readonly store: Store;
  readonly proxy: ApiProxy;
  readonly config: Config;
  readonly workload: Workload;
  readonly random: Random;
  /** The live processes of a role, or all. */
  roles(name?: RoleName): Role[];
  startRole(name: RoleName, options?: { index?: number; environment?: Readonly<Record<string, string>>; port?: number }): Role;
  /** Child processes of a role: the supervisor of its executor, or its runners. */
  pidsOf(kind: "runner" | "supervisor", of?: Role): number[];
  /** Creates a run through the public API, with retries until it is acknowledged; returns its id. */
  trigger(dagId: string): Promise<string>;
  /** A call of the public API as an administrator; null = there was no answer. */
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown } | null>;
  /** Fraction of the task instances that have ended. */
  progress(): Promise<number>;
  untilProgress(share: number): Promise<void>;
  isDone(): Promise<boolean>;
  /**
   * Waits until every run has ended, whatever happens to the database meanwhile; after `timeoutMs` it throws, naming the open
   * runs.
   */
  untilDone(timeoutMs: number): Promise<void>;
  history(): Promise<History>;
  /** Checks all invariants, and that no process ended unexpectedly. Call after the faults. */
  check(
    expect: Partial<Expectation> & Pick<Expectation, "faultsEndedMs">,
    except?: readonly Invariant[],
  ): Promise<SystemVerdict[]>;
  /** The stderr of the processes of a role. */
  said(name: RoleName): string;
  stop(): Promise<void>;
};

/** "roles": a process of the system ended unexpectedly. */
export type SystemVerdict = Verdict | { invariant: "roles"; faults: string[] };

export async function startSystem(options: SystemOptions): Promise<System> {
  const mark: ProcessMark = { name: "CHAOS_RIG", value: randomUUID() };
  const own = await startOwnServer([
    "logging_collector=on",
    "log_directory=log",
    "log_filename=server.log",
    "deadlock_timeout=200ms",
    ...(options.postgresSettings ?? []),
  ]);
  const home = mkdtempSync(join(tmpdir(), "baram-chaos-"));
  const proxy = await startProxy();
  const trace = join(home, "trace.ndjson");
  const dagsFolder = join(home, "dags");
  const all: (Role & { child: ChildProcess; isMeant: boolean; how: string | null })[] = [];
  const acknowledgedRuns: string[] = [];
  const samples: Sample[] = [];
  let stopping: Promise<void> | null = null;
  let stopSampling = () => {};
  let serverLogPath = "";

  const environment: Record<string, string> = {
    ...FAST,
    BARAM_HOME: home,
    BARAM__CORE__DAGS_FOLDER: dagsFolder,
    BARAM__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
    BARAM__CORE__LOAD_EXAMPLES: "false",
    BARAM__DATABASE__URL: urlOf(own.address),
    BARAM__API__BASE_URL: proxy.url,
    BARAM__LOGGING__LOGGING_LEVEL: "info",
    ...options.environment,
  };
  const config = loadConfig(environment);
  const tokens = createTokens(readJwtSecret(config));
  const { store } = own;
  /** Of the user who asks. Read once: the database may be away later. */
  let version: string | undefined;

  function startRole(
    name: RoleName,
    given: { index?: number; environment?: Readonly<Record<string, string>>; port?: number } = {},
  ): Role {
    const index = given.index ?? all.filter((one) => one.name === name).length;
    const special = options.each?.(name, index) ?? {};
    const port = given.port ?? null;
    const log = openSync(join(home, `${name}.log`), "a");
    const entry = join(findPackageRoot(), "tests", "support", "child-role.mjs");
    const child = spawn(process.execPath, [...(special.nodeArguments ?? []), entry, name], {
      env: {
        ...plainEnvironment(),
        ...environment,
        ...special.environment,
        ...given.environment,
        ...(port === null ? {} : { BARAM__API__PORT: String(port) }),
        [mark.name]: mark.value,
      },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const role = {
      name,
      index,
      pid: child.pid ?? 0,
      port,
      child,
      isMeant: false,
      how: null as string | null,
      isAlive: () => child.exitCode === null && child.signalCode === null,
      end(signal: NodeJS.Signals) {
        role.isMeant = true;
        child.kill(signal);
      },
      signal: (signal: NodeJS.Signals) => void child.kill(signal),
      ended: new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`))),
    };
    void role.ended.then((how) => {
      role.how = how;
    });
    all.push(role);
    return role;
  }

  const isDone = async () => {
    const { rows } = await store.query(
      `select 1 from dag_run where state in ('queued', 'running')
       union all select 1 from callback_request where state in ('scheduled', 'queued', 'running') limit 1`,
    );
    return rows.length === 0;
  };

  async function ask(method: string, path: string, body?: unknown) {
    try {
      version ??= await keepUser(store, { username: "chaos", role: "admin" });
      const token = await tokens.sign("baram:user", { subject: "chaos", version }, 600);
      const answer = await fetch(`${proxy.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json", connection: "close" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(15_000),
      });
      const text = await answer.text();
      return {
        status: answer.status,
        json: (answer.headers.get("content-type") ?? "").includes("json") ? (JSON.parse(text) as unknown) : text,
      };
    } catch {
      return null;
    }
  }

  async function endAll(): Promise<void> {
    stopSampling();
    proxy.setMeddler(null);
    for (const role of all) {
      if (!role.isAlive()) continue;
      role.isMeant = true;
      role.signal("SIGCONT");
      role.end("SIGTERM");
    }
    await Promise.race([Promise.all(all.map((role) => role.ended)), sleep(15_000)]);
    for (const role of all) if (role.isAlive()) role.end("SIGKILL");
    // Supervisors whose scheduler was killed, and their runners.
    killMarked(mark);
    await Promise.all(all.map((role) => role.ended));
    await proxy.close();
    await own.drop();
    if (!process.env.CHAOS_KEEP) rmSync(home, { recursive: true, force: true });
  }

  const system: System = {
    own,
    store,
    proxy,
    config,
    workload: options.workload,
    random: options.random,
    roles: (name) => all.filter((one) => one.isAlive() && (name === undefined || one.name === name)),
    startRole,
    ask,
    isDone,
    pidsOf(kind, of) {
      const entry = kind === "runner" ? "worker/runner/entry.js" : "main/local-supervisor.js";
      const roots = new Set((of ? [of] : all).map((one) => one.pid));
      return processesUnder(roots, entry);
    },
    async trigger(dagId) {
      const runId = `chaos__${randomUUID().slice(0, 8)}`;
      for (let attempt = 0; attempt < 200; attempt++) {
        const answer = await ask("POST", `/api/v2/dags/${dagId}/dagRuns`, { dag_run_id: runId, logical_date: null });
        // 409: an earlier answer was lost, and the run exists.
        if (answer?.status === 200 || answer?.status === 409) {
          acknowledgedRuns.push(`${dagId}/${runId}`);
          return runId;
        }
        if (answer && answer.status < 500 && answer.status !== 429)
          throw new Error(`${dagId} could not be triggered: ${answer.status} ${JSON.stringify(answer.json)}`);
        await sleep(100);
      }
      throw new Error(`${dagId} could not be triggered in 200 attempts`);
    },
    async progress() {
      const { rows } = await store.query<{ share: number }>(
        `select coalesce(avg(case when state in ('success', 'failed', 'skipped', 'upstream_failed') then 1 else 0 end), 0)::float8 as share from task_instance`,
      );
      return rows[0]?.share ?? 0;
    },
    async untilProgress(share) {
      const deadline = Date.now() + 60_000;
      while ((await system.progress()) < share) {
        if (Date.now() > deadline) throw new Error(`the runs did not come to ${share * 100} % in 60 s`);
        await sleep(20);
      }
    },
    async untilDone(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      while (!(await isDone().catch(() => false))) {
        if (Date.now() > deadline) {
          const { rows } = await store.query(
            `select dag_id, task_id, state, try_number, queued_by_job_id, queue_attempts from task_instance where state not in ('success', 'failed', 'skipped', 'upstream_failed') order by state limit 20`,
          );
          throw new Error(`runs are still open after ${timeoutMs / 1_000} s: ${JSON.stringify(rows)}`);
        }
        await sleep(50);
      }
    },
    history: () =>
      readHistory(
        store,
        { trace, logFolder: config.logging.base_log_folder },
        {
          acknowledged: proxy.acknowledged,
          acknowledgedRuns,
          samples,
          serverLog: existsSync(serverLogPath) ? readFileSync(serverLogPath, "utf8") : "",
        },
      ),
    async check(expect, except) {
      const history = await system.history();
      const verdicts = checkHistory(
        history,
        {
          dags: options.workload.dags,
          parallelism: PARALLELISM,
          recoverySec: 30,
          lossReasons: [],
          isSteered: false,
          maxConnections: all.filter((one) => one.isAlive()).length * (POOL_SIZE + 2) + 4,
          intervalMs: null,
          ...expect,
        },
        except,
      );
      const surprises = all.filter((one) => one.how !== null && !one.isMeant);
      return [
        ...verdicts,
        { invariant: "roles", faults: surprises.map((one) => `${one.name} ${one.index} ended by itself: ${one.how}`) },
      ];
    },
    said: (name) => readFileSync(join(home, `${name}.log`), "utf8"),
    stop() {
      stopping ??= endAll();
      return stopping;
    },
  };

  try {
    serverLogPath = await pathOfServerLog(store);
    mkdirSync(dagsFolder);
    writeFileSync(trace, "");
    writeFileSync(join(dagsFolder, "load.ts"), dagFile(options.workload.dags, trace));
    await ensureDefaultPool(store, 128);
    for (const { name, slots } of options.workload.pools) await ensurePool(store, name, slots, "");
    await installRecorder(store);
    stopSampling = sample(store, samples);
    const wanted = { ...ROLES, ...options.roles };
    const ports = await Promise.all(Array.from({ length: wanted["api-server"] }, freePort));
    for (const port of ports) startRole("api-server", { port });
    proxy.setBackends(ports);
    for (const name of ["dag-processor", "scheduler", "triggerer"] as const) {
      if (!existsSync(join(findPackageRoot(), "dist", "main", `${name}.js`))) continue;
      for (let at = 0; at < wanted[name]; at++) startRole(name);
    }
    await untilReady(system);
    return system;
  } catch (error) {
    const said = (Object.keys(ROLES) as RoleName[])
      .map((name) => (existsSync(join(home, `${name}.log`)) ? `${name}: ${system.said(name).slice(-1_000)}` : ""))
      .join("\n");
    await system.stop();
    throw new Error(`the system did not start: ${(error as Error).message}\n${said}`);
  }
}

/** Only the variables of the test runner's environment that a Node process needs: its options are not the system's. */
function plainEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "LANG", "TMPDIR", "TZ"]) if (process.env[name]) kept[name] = process.env[name];
  return kept;
}

async function untilReady(system: System): Promise<void> {
  const deadline = Date.now() + 60_000;
  const wanted = system.workload.dags.length;
  for (;;) {
    const { rows } = await system.store.query<{ dags: number; jobs: number; error: string | null }>(
      `select (select count(*)::int from dag where current_version_id is not null) as dags,
              (select count(*)::int from job where state = 'running' and job_type = 'SchedulerJob') as jobs,
              (select message from import_error limit 1) as error`,
    );
    const [row] = rows;
    if (row?.error) throw new Error(`import error: ${row.error}`);
    if (row && row.dags >= wanted && row.jobs >= system.roles("scheduler").length) {
      const answers = await Promise.all(
        system.roles("api-server").map((role) =>
          fetch(`http://127.0.0.1:${role.port}/api/v2/version`).then(
            (answer) => answer.status,
            () => 0,
          ),
        ),
      );
      if (answers.every((status) => status === 200)) return;
    }
    if (Date.now() > deadline) throw new Error(`not ready after 60 s: ${JSON.stringify(row)}`);
    await sleep(50);
  }
}

async function pathOfServerLog(store: Store): Promise<string> {
  const { rows } = await store.query<{ data: string }>("select current_setting('data_directory') as data");
  return join(rows[0]?.data ?? "", "log", "server.log");
}

/** Samples the server's activity twice a second; returns a function that stops it. */
function sample(store: Store, samples: Sample[]): () => void {
  let isOn = true;
  void (async () => {
    while (isOn) {
      try {
        const { rows } = await store.query<{ connections: number; idle: number }>(
          `select count(*) filter (where application_name not in ('test', 'chaos hold'))::int as connections,
                  coalesce(max(extract(epoch from now() - state_change)) filter (where state like 'idle in transaction%' and application_name not in ('test', 'chaos hold')), 0)::float8 as idle
             from pg_stat_activity where backend_type = 'client backend'`,
        );
        samples.push({ atMs: Date.now(), connections: rows[0]?.connections ?? 0, idleInTransactionSec: rows[0]?.idle ?? 0 });
      } catch {
        // The server is down because of the fault, so there is no sample.
      }
      await sleep(500);
    }
  })();
  return () => {
    isOn = false;
  };
}

function processesUnder(roots: ReadonlySet<number>, entry: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(entry)) return false;
        for (let at = pid; at > 1; at = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${at}/stat`, "utf8"))?.[1] ?? 0))
          if (roots.has(at)) return true;
      } catch {
        // ended in between
      }
      return false;
    });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound ? bound.port : 0));
    });
  });
}
