/**
 * A run of a grid of tasks on its own PostgreSQL and processes, for tests that break them. The tasks record their steps in a file
 * with appends that are never partial; afterwards the file is compared with the task instances and their history.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { findPackageRoot, sleep } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "./engine.ts";
import { type OwnServer, startOwnServer, urlOf } from "./own-server.ts";

const FAST = {
  BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "0.5",
  BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD: "2",
  BARAM__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "0.5",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.5",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "4",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL: "0.5",
  BARAM__CORE__PARALLELISM: "6",
};

type Line = { what: "start" | "end"; task: string; attempt: number; pid: number; at: number };

export type Grid = {
  readonly own: OwnServer;
  readonly engine: Engine;
  /** A process with one role, e.g. "scheduler". */
  startRole(role: string, environment?: Record<string, string>): ChildProcess;
  pidsOf(kind: "runner" | "supervisor"): number[];
  untilDone(runId: string, count: number): Promise<void>;
  check(runId: string): Promise<{ attempts: number }>;
  stop(): Promise<void>;
};

export async function startGrid({ layers, width }: { layers: number; width: number }): Promise<Grid> {
  const own = await startOwnServer();
  const engine = await startEngine({ database: own, withScheduler: false, environment: FAST });
  const trace = join(engine.home, "trace.ndjson");
  const roles: ChildProcess[] = [];
  writeFileSync(trace, "");
  await engine.load({
    "grid.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
// Each task waits for three tasks of the previous layer.
dag({ dagId: "grid", schedule: null, maxActiveTasks: 64, defaultArgs: { retries: 20, retryDelay: { seconds: 0.1 } } }, () => {
  let above: any[] = [];
  for (let layer = 0; layer < ${layers}; layer++) {
    above = Array.from({ length: ${width} }, (_, at) => {
      const node = task({ taskId: "t" + layer + "_" + at }, async (ctx) => {
        const note = (what: string) => appendFileSync(${JSON.stringify(trace)}, JSON.stringify({ what, task: ctx.ti.taskId, attempt: ctx.ti.tryNumber, pid: process.pid, at: Date.now() }) + "\\n");
        note("start");
        await new Promise((r) => setTimeout(r, 20));
        note("end");
        return ctx.ti.tryNumber;
      })();
      for (const offset of [0, 1, 2]) above[(at + offset) % ${width}]?.before(node);
      return node;
    });
  }
});`,
  });

  function startRole(role: string, environment: Record<string, string> = {}): ChildProcess {
    const child = spawn(process.execPath, [join(findPackageRoot(), "tests", "support", "child-role.mjs"), role], {
      env: {
        ...process.env,
        ...FAST,
        BARAM_HOME: engine.home,
        BARAM__CORE__DAGS_FOLDER: engine.config.core.dags_folder,
        BARAM__DATABASE__URL: urlOf(own.address),
        BARAM__API__BASE_URL: engine.apiUrl,
        BARAM__LOGGING__LOGGING_LEVEL: "error",
        ...environment,
      },
      stdio: ["ignore", "inherit", process.env.BARAM_TEST_LOG ? "inherit" : "ignore"],
    });
    roles.push(child);
    return child;
  }

  /** Pids of this engine's processes of one kind, found by their environment and command line. */
  function pidsOf(kind: "runner" | "supervisor"): number[] {
    const entry = kind === "runner" ? "worker/runner/entry.js" : "main/local-supervisor.js";
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(entry)) return false;
          // Only descendants of a role that this test started.
          for (let at = pid; at > 1; ) {
            if (roles.some((one) => one.pid === at)) return true;
            at = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${at}/stat`, "utf8"))?.[1] ?? 0);
          }
        } catch {
          // ended in between
        }
        return false;
      });
  }

  async function doneCount(runId: string): Promise<number> {
    const { rows } = await engine.store.query<{ n: number }>(
      "select count(*)::int as n from task_instance where run_id = $1 and state = 'success'",
      [runId],
    );
    return rows[0]?.n ?? 0;
  }

  /** Waits until at least `count` tasks have ended, so that a fault hits the middle of the run. */
  async function untilDone(runId: string, count: number): Promise<void> {
    await expect.poll(() => doneCount(runId), { timeout: 60_000, interval: 10 }).toBeGreaterThanOrEqual(count);
  }

  async function check(runId: string): Promise<{ attempts: number }> {
    const lines = readFileSync(trace, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    const { rows: instances } = await engine.store.query<{ taskId: string; state: string; attempt: number; value: number }>(
      `select ti.task_id as "taskId", ti.state, ti.try_number as attempt, x.value from task_instance ti
         left join xcom x on x.dag_run_id = ti.dag_run_id and x.task_id = ti.task_id and x.key = 'return_value' where ti.run_id = $1`,
      [runId],
    );
    const { rows: history } = await engine.store.query<{ taskId: string; attempt: number; state: string }>(
      `select task_id as "taskId", try_number as attempt, state from task_instance_history where run_id = $1`,
      [runId],
    );
    expect(instances).toHaveLength(layers * width);
    const startOf = new Map<string, Line>();
    const endOf = new Map<string, Line>();
    for (const line of lines) {
      const key = `${line.task}#${line.attempt}`;
      const seen = line.what === "start" ? startOf : endOf;
      expect(seen.has(key), `${line.what} of ${key} stands in the file twice`).toBe(false);
      seen.set(key, line);
    }
    const known = new Set([...instances, ...history].map((one) => `${one.taskId}#${one.attempt}`));
    for (const key of startOf.keys()) expect(known.has(key), `${key} ran, but the database does not know of it`).toBe(true);
    const acceptedEnd = new Map<string, number>();
    for (const one of instances) {
      const key = `${one.taskId}#${one.attempt}`;
      expect(one.state, key).toBe("success");
      expect(endOf.has(key), `${key} is a success that never ended`).toBe(true);
      // The try that wrote the XCom is the accepted one.
      expect(one.value, `the XCom of ${key}`).toBe(one.attempt);
      expect(
        history
          .filter((old) => old.taskId === one.taskId)
          .map((old) => old.attempt)
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: one.attempt - 1 }, (_, at) => at + 1));
      acceptedEnd.set(one.taskId, endOf.get(key)?.at ?? 0);
    }
    for (const line of startOf.values()) {
      const [, layer, at] = /^t(\d+)_(\d+)$/.exec(line.task) ?? [];
      if (Number(layer) === 0) continue;
      // Node (layer, at) waits for (layer - 1, at - offset).
      for (const offset of [0, 1, 2]) {
        const up = `t${Number(layer) - 1}_${(Number(at) + offset) % width}`;
        expect(line.at, `${line.task} started before ${up} ended`).toBeGreaterThanOrEqual(
          acceptedEnd.get(up) ?? Number.POSITIVE_INFINITY,
        );
      }
    }
    const { rows: leftovers } = await engine.store.query(
      "select 1 from task_instance where state in ('queued', 'running', 'restarting')",
    );
    expect(leftovers).toHaveLength(0);
    return { attempts: startOf.size };
  }

  return {
    own,
    engine,
    startRole,
    pidsOf,
    untilDone,
    check,
    async stop() {
      for (const child of roles) if (child.exitCode === null && child.signalCode === null) await end(child);
      await engine.stop();
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await Promise.race([gone, sleep(20_000)]);
}
