/** Queue workers in separate processes, as `baram worker start` runs them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, readJwtSecret } from "../../src/config/index.ts";
import { createTokens, findPackageRoot } from "../../src/platform/index.ts";
import type { BrokerServer } from "./brokers.ts";

export type QueueWorkerProcess = {
  readonly name: string;
  readonly pid: number;
  /** Its log so far. */
  log(): string;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Ends it if it is still running. */
  dispose(): Promise<void>;
};

/** Options of both the scheduler and the workers, with intervals for tests. */
export function queueEnvironment(broker: BrokerServer, given: Record<string, string> = {}): Record<string, string> {
  return {
    BARAM__CORE__EXECUTOR: "QueueExecutor",
    BARAM__QUEUE__BROKER_URL: broker.url,
    BARAM__QUEUE__LEASE_SEC: "2",
    BARAM__QUEUE__CHECK_INTERVAL: "0.5",
    BARAM__WORKERS__HEARTBEAT_SEC: "0.3",
    BARAM__WORKERS__LOST_AFTER_SEC: "2",
    BARAM__WORKERS__GRACEFUL_SHUTDOWN_SEC: "5",
    BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
    BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "3",
    BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL: "0.3",
    ...given,
  };
}

export async function startQueueWorker(given: {
  config: Config;
  apiUrl: string;
  environment: Record<string, string>;
  name: string;
  args?: string[];
}): Promise<QueueWorkerProcess> {
  const { config, apiUrl, name, args = [] } = given;
  // A separate BARAM_HOME: a worker shares no folder with the scheduler.
  const home = mkdtempSync(join(tmpdir(), "baram-worker-"));
  const token = await createTokens(readJwtSecret(config)).sign("baram:worker", { subject: name }, 3_600);
  const child = spawn(
    process.execPath,
    [join(findPackageRoot(), "dist", "cli", "main.js"), "worker", "start", "--name", name, ...args],
    {
      cwd: home,
      env: {
        ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("BARAM_"))),
        ...given.environment,
        BARAM_HOME: home,
        BARAM__API__BASE_URL: apiUrl,
        BARAM__WORKERS__TOKEN: token,
        BARAM__LOGGING__LOGGING_LEVEL: "debug",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
      if (process.env.BARAM_TEST_LOG) process.stderr.write(chunk);
    });
  const ended = new Promise<number | string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code ?? -1)));
  const dispose = () => end(child, ended, home);
  for (let waited = 0; !text.includes("worker started"); waited += 20) {
    if (child.exitCode !== null || waited > 20_000) {
      await dispose();
      throw new Error(`worker ${name} did not start: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { name, pid: child.pid ?? 0, log: () => text, signal: (signal) => void child.kill(signal), ended, dispose };
}

/** Child processes of the worker: its runners. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

async function end(child: ChildProcess, ended: Promise<unknown>, home: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
