import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type Logger, ownPipes, sleep } from "../../platform/index.ts";
import { type Account, locateServerFolder, ownFolder, pickAccount, reachableBinaries, serverFolder } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { explainFailure } from "./failure.ts";

export type ServerAddress = { host: string; port: number; user: string; password: string; database: string };
export type EmbeddedServer = {
  readonly address: ServerAddress;
  /** false: another process of this BARAM_HOME started the server and will stop it. */
  readonly isOurs: boolean;
  readonly pid: () => number | null;
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>;
};

/** A socket's path may have 107 bytes; the file is `.s.PGSQL.5432`. */
const SOCKET_FOLDER_MAX = 90;
const START_TIMEOUT_MS = 60_000;

type Options = {
  home: string;
  password: string;
  logger: Logger;
  /** Take over a server that an earlier process left running (after kill -9), and stop it when this process stops. */
  takeOver: boolean;
  /** Extra `name=value` settings; tests switch durability off with them. */
  settings?: readonly string[];
};

/**
 * Starts the PostgreSQL of this BARAM_HOME, or joins the one that runs there. It listens on a Unix socket only, in its
 * own process group so that a Ctrl-C at the terminal reaches Baram first. If it dies, it is started again.
 */
export async function startEmbeddedServer(options: Options): Promise<EmbeddedServer> {
  const account = pickAccount();
  const { native, version } = findBinaries();
  const binaries = reachableBinaries(native, version, account);
  const folder = serverFolder(options.home, account);
  const data = dataFolder(folder);
  const socket = socketFolder(folder, account);
  const address: ServerAddress = { host: socket, port: 5432, user: "baram", password: options.password, database: "postgres" };

  if (!isInitialised(data)) await initialise({ binaries, data, folder, account, password: options.password });

  let child: ChildProcess | null = null;
  let stopping = false;
  let watch: Promise<void> = Promise.resolve();
  const foundPid = await runningPid(data, address);

  const launch = async (): Promise<void> => {
    let output = "";
    const started = spawn(join(binaries, "bin", "postgres"), serverArguments(data, socket, options.settings ?? []), {
      detached: true,
      cwd: folder,
      env: { LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "pipe"],
      ...(account ?? {}),
    });
    ownPipes(started);
    child = started;
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-8_000);
    };
    started.stdout?.on("data", keep);
    started.stderr?.on("data", keep);
    const exited = new Promise<number | null>((resolve) => {
      started.once("exit", resolve);
      started.once("error", (error) => {
        output += error.message;
        resolve(null);
      });
    });
    const ready = await Promise.race([waitUntilReady(address), exited.then(() => false)]);
    if (!ready) {
      // Two processes may start the server of the same BARAM_HOME at once: the loser joins the winner's.
      if ((await runningPid(data, address)) !== null) {
        child = null;
        return;
      }
      throw explainFailure("start", output, await exited, folder);
    }
    watch = exited.then(async () => {
      if (stopping) return;
      options.logger.warn({ output: output.slice(-500) }, "the embedded PostgreSQL ended; starting it again");
      await relaunch();
    });
  };
  const relaunch = async (): Promise<void> => {
    for (let delay = 100; !stopping; delay = Math.min(delay * 2, 5_000)) {
      try {
        await launch();
        return;
      } catch (error) {
        options.logger.error({ error: (error as Error).message }, "the embedded PostgreSQL could not be started again");
        await sleep(delay);
      }
    }
  };

  if (foundPid === null) await launch();
  const isOurs = foundPid === null || options.takeOver;
  if (foundPid !== null) watch = watchForeign();

  async function watchForeign(): Promise<void> {
    while (!stopping && isAlive(foundPid ?? 0)) await sleep(500);
    if (!stopping && options.takeOver) await relaunch();
  }

  const currentPid = () => child?.pid ?? readPid(data);
  return {
    address,
    isOurs,
    pid: currentPid,
    async stop() {
      stopping = true;
      const pid = currentPid();
      if (!isOurs || pid === null || !isAlive(pid)) return;
      process.kill(pid, "SIGINT");
      for (let waited = 0; isAlive(pid); waited += 20) {
        if (waited === 30_000) process.kill(pid, "SIGQUIT");
        await sleep(20);
      }
      await watch;
    },
  };
}

/** Whether this BARAM_HOME has a database. Creates nothing. */
export function hasEmbeddedDatabase(home: string): boolean {
  return existsSync(home) && isInitialised(dataFolder(locateServerFolder(home, pickAccount())));
}

const dataFolder = (folder: string) => join(folder, "data");
const isInitialised = (data: string) => existsSync(join(data, "PG_VERSION"));

function serverArguments(data: string, socket: string, settings: readonly string[]): string[] {
  const all = [
    "listen_addresses=",
    `unix_socket_directories=${socket}`,
    "unix_socket_permissions=0700",
    "port=5432",
    "max_connections=100",
    "shared_buffers=64MB",
    "dynamic_shared_memory_type=posix",
    // Parallel workers would cost memory on a laptop and gain nothing at this size.
    "io_method=sync",
    "max_parallel_workers=0",
    "max_wal_size=512MB",
    // Short statements only: just-in-time compilation costs more than it saves.
    "jit=off",
    // The database is in memory or on a solid disk. At the default of 4 a statement that ends or starts one try reads a whole small table
    // instead of an index, which doubles its time.
    "random_page_cost=1.1",
    "autovacuum_naptime=20s",
    "log_min_messages=warning",
    "timezone=UTC",
    "log_timezone=UTC",
    ...settings,
  ];
  return ["-D", data, ...all.flatMap((setting) => ["-c", setting])];
}

async function initialise(at: {
  binaries: string;
  data: string;
  folder: string;
  account: Account | undefined;
  password: string;
}): Promise<void> {
  // Created under a temporary name and renamed, so that a kill in between leaves no partial data folder.
  const partial = `${at.data}.making`;
  const passwordFile = join(at.folder, `.password-${process.pid}`);
  rmSync(partial, { recursive: true, force: true });
  writeFileSync(passwordFile, at.password, { mode: 0o600 });
  if (at.account) chownSync(passwordFile, at.account.uid, at.account.gid);
  try {
    const child = spawn(
      join(at.binaries, "bin", "initdb"),
      ["-D", partial, "-U", "baram", "--pwfile", passwordFile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"],
      { cwd: at.folder, env: { LC_ALL: "C", TZ: "UTC" }, stdio: ["ignore", "pipe", "pipe"], ...(at.account ?? {}) },
    );
    ownPipes(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    const code = await new Promise<number | null>((resolve) => {
      child.once("error", (error) => {
        output += error.message;
        resolve(null);
      });
      child.once("close", resolve);
    });
    if (code !== 0) throw explainFailure("initdb", output, code, at.folder);
    renameSync(partial, at.data);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(partial, { recursive: true, force: true });
  }
}

function socketFolder(folder: string, account: Account | undefined): string {
  const wanted = join(folder, "run");
  if (wanted.length <= SOCKET_FOLDER_MAX) return ownFolder(wanted, account);
  let hash = 5381;
  for (const letter of folder) hash = ((hash * 33) ^ letter.charCodeAt(0)) >>> 0;
  return ownFolder(join(tmpdir(), `baram-${process.getuid?.() ?? 0}-${hash.toString(36)}`), account);
}

/** The pid of the server that is running on this data folder, or null. */
async function runningPid(data: string, address: ServerAddress): Promise<number | null> {
  const pid = readPid(data);
  if (pid === null || !isAlive(pid)) return null;
  return (await waitUntilReady(address, 15_000)) ? pid : null;
}

function readPid(data: string): number | null {
  try {
    return Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]) || null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function waitUntilReady(address: ServerAddress, timeoutMs = START_TIMEOUT_MS): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const client = new pg.Client({ ...address, connectionTimeoutMillis: 2_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.end();
      return true;
    } catch (error) {
      await client.end().catch(() => {});
      if ((error as { code?: string }).code === "28P01") return false;
      await sleep(25);
    }
  }
  return false;
}
