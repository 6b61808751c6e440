/**
 * The environment in which the suite runs an executor: PostgreSQL, the execution API on a port, real schedulers in this process
 * and in others.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { createExecutors } from "../../src/main/executors.ts";
import { type SchedulerPart, startSchedulerPart } from "../../src/main/index.ts";
import { createLogger, findPackageRoot, silentLogger } from "../../src/platform/index.ts";
import type { PausePoint } from "../../src/scheduler/index.ts";
import { startEngine } from "../support/engine.ts";
import { urlOf } from "../support/own-server.ts";
import { createGate } from "../support/scheduler-rig.ts";
import { createApiWire } from "./api-wire.ts";
import { contractDags } from "./contract-dags.ts";
import { type ContractSystem, type ExecutorRig, GRACE_SEC, type TraceLine, type TryRow } from "./rig.ts";

/** Missing heartbeats are noticed within seconds, and other slow intervals are shortened too. */
const FAST = {
  BARAM__CORE__PARALLELISM: "4",
  BARAM__CORE__KILLED_TASK_CLEANUP_TIME: String(GRACE_SEC),
  BARAM__WORKERS__GRACEFUL_SHUTDOWN_SEC: "10",
  BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.2",
  BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "0.3",
  BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD: "1.5",
  BARAM__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "0.2",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "3",
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL: "0.3",
  BARAM__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL: "0.3",
};

export async function startContractSystem(rig: ExecutorRig): Promise<ContractSystem> {
  const wire = createApiWire();
  const environment = { ...FAST, ...rig.environment };
  const engine = await startEngine({ environment, withScheduler: false, wire: wire.middleware });
  const { store, home } = engine;
  const logger = process.env.BARAM_TEST_LOG ? createLogger({ level: "debug", role: "contract" }) : silentLogger;
  const traceFile = join(home, "trace.ndjson");
  const children: ChildProcess[] = [];
  const parts = new Set<SchedulerPart>();
  const gates = new Set<ReturnType<typeof createGate>>();
  let ordinary: SchedulerPart | null = null;

  async function startScheduler(pause?: (point: PausePoint) => Promise<void>): Promise<SchedulerPart> {
    const part = await startSchedulerPart(engine.config, engine.database.open(), engine.apiUrl, logger, undefined, pause);
    parts.add(part);
    return part;
  }

  async function stopScheduler(part: SchedulerPart): Promise<void> {
    parts.delete(part);
    await part.stop();
  }

  async function tryOf(runId: string, taskId = "t"): Promise<TryRow> {
    const { rows } = await store.query<TryRow>(
      `select id, state, try_number as "tryNumber", pid, executor, external_executor_id as "externalId",
              queue_attempts as "queueAttempts", queued_by_job_id as "jobId"
         from task_instance where run_id = $1 and task_id = $2`,
      [runId, taskId],
    );
    const [row] = rows;
    if (!row) throw new Error(`run ${runId} has no task ${taskId}`);
    return row;
  }

  function trace(runId: string): TraceLine[] {
    if (!existsSync(traceFile)) return [];
    return readFileSync(traceFile, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as TraceLine)
      .filter((line) => line.runId === runId);
  }

  const system: ContractSystem = {
    engine,
    wire,
    async scheduler() {
      ordinary ??= await startScheduler();
      return ordinary;
    },
    async retire() {
      const part = ordinary;
      ordinary = null;
      if (part) await stopScheduler(part);
    },
    executorOf(part) {
      const executor = part.executors.get(rig.facts.name);
      if (!executor) throw new Error(`the scheduler has no ${rig.facts.name}`);
      return executor;
    },
    async another() {
      const executors = createExecutors(
        engine.config,
        { apiUrl: engine.apiUrl, findConnection: async () => null, findEnded: async () => [], logger },
        () => {},
      );
      const executor = executors.get(rig.facts.name);
      if (!executor) throw new Error(`[core] executor does not name ${rig.facts.name}`);
      await executor.start();
      return executor;
    },
    async frozenAt(wanted) {
      const gate = createGate();
      gates.add(gate);
      const hasQueued = async () =>
        (await store.query("select 1 from task_instance where state = 'queued' and queued_by_job_id is not null")).rows.length >
        0;
      const part = await startScheduler(async (point) => {
        if (point === wanted && (await hasQueued())) await gate.pass();
      });
      let ending: Promise<void> | null = null;
      return {
        frozen: gate.entered.then(() => {
          // Its heartbeats end with its timers; the loop stays where it is.
          ending = part.scheduler.stop();
        }),
        async thaw() {
          gate.open();
          await ending;
          await stopScheduler(part);
        },
      };
    },
    spawnScheduler() {
      const child = spawn(process.execPath, [join(findPackageRoot(), "tests", "support", "child-role.mjs"), "scheduler"], {
        env: {
          ...process.env,
          ...environment,
          BARAM_HOME: home,
          BARAM__CORE__DAGS_FOLDER: engine.config.core.dags_folder,
          BARAM__DATABASE__URL: urlOf(engine.database.address),
          BARAM__API__BASE_URL: engine.apiUrl,
          BARAM__LOGGING__LOGGING_LEVEL: process.env.BARAM_TEST_LOG ? "debug" : "error",
        },
        stdio: ["ignore", process.env.BARAM_TEST_LOG ? "inherit" : "ignore", "inherit"],
      });
      children.push(child);
      return child;
    },
    trigger: (dagId) => engine.trigger(dagId),
    async finished(runId) {
      const { rows } = await store.query<{ dagId: string }>(`select dag_id as "dagId" from dag_run where run_id = $1`, [runId]);
      return engine.finished(rows[0]?.dagId ?? "", runId, 20_000);
    },
    release: (runId) => writeFileSync(join(home, `release-${runId}`), ""),
    tryOf,
    async history(runId) {
      const sql = `select id, try_number as "tryNumber", reason from task_instance_history where run_id = $1 order by try_number`;
      return (await store.query<{ id: string; tryNumber: number; reason: string | null }>(sql, [runId])).rows;
    },
    trace,
    async started(runId) {
      const hasStart = () => trace(runId).some(({ what }) => what === "start");
      await expect.poll(hasStart, { timeout: 15_000, interval: 20 }).toBe(true);
      return tryOf(runId);
    },
    async stop() {
      for (const child of children) child.kill("SIGKILL");
      for (const gate of gates) gate.open();
      for (const part of [...parts]) await stopScheduler(part);
      await rig.close?.();
      await engine.stop();
    },
  };
  await engine.load({ "contract.ts": contractDags(home) });
  await rig.start?.(system);
  return system;
}
