/**
 * A stopped try has really stopped: if it ignores its signal, its process is killed after the grace period, its end is reported
 * after the process has ended, and no other try runs in that process or next to it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startSchedulerPart } from "../../src/main/index.ts";
import { silentLogger, sleep } from "../../src/platform/index.ts";
import { clearRuns, createDagCache, markInstances } from "../../src/scheduler/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

/** Longer than any timeout of a runner itself: the test shows that exactly this grace period is used. */
const GRACE_SEC = 6;
vi.setConfig({ testTimeout: 40_000 });
/** A heartbeat, the grace period, and the delays of a busy machine. */
const STOPPED_WITHIN_MS = 15_000;
/** Much longer than any case waits. */
const DEAF_MS = 60_000;

type Line = { run: string; task: string; attempt: number; id: string; pid: number; at: number };

let engine: Engine;
afterAll(async () => {
  await engine?.stop();
});
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: String(GRACE_SEC),
      BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
      BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.2",
      BARAM__WORKERS__GRACEFUL_SHUTDOWN_SEC: "0.5",
    },
  });
  await engine.load({ "deaf.ts": deafDags(join(engine.home, "lines.ndjson")) });
}, 60_000);

/** The first try ignores its signal and goes on writing; the second one ends at once. */
function deafDags(file: string): string {
  return `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
const note = (ctx) => appendFileSync(${JSON.stringify(file)}, JSON.stringify({ run: ctx.ti.runId, task: ctx.ti.taskId, attempt: ctx.ti.tryNumber, id: ctx.ti.id, pid: process.pid, at: Date.now() }) + "\\n");
const deaf = async (ctx) => {
  if (ctx.ti.tryNumber > 1) { console.log("the second try"); return note(ctx); }
  const until = Date.now() + ${DEAF_MS};
  while (Date.now() < until) { note(ctx); console.log("line of " + ctx.ti.id); await new Promise((resolve) => setTimeout(resolve, 20)); }
};
const one = (dagId, options, settings) => dag({ dagId, schedule: null, ...options }, () => {
  task({ taskId: "deaf", retries: 1, retryDelay: { seconds: 0 }, ...settings }, deaf)();
});
one("overdue", {}, { executionTimeout: { seconds: 0.5 } });
one("cleared", {}, {});
one("marked", {}, {});
one("late_run", { dagrunTimeout: { seconds: 5 } }, {});
one("drained", {}, {});
dag({ dagId: "failing_fast", schedule: null, failFast: true }, () => {
  task({ taskId: "deaf", retries: 0 }, deaf)();
  task({ taskId: "fails", retries: 0 }, async (ctx) => { await ctx.sleep({ seconds: 1 }); throw new Error("on purpose"); })();
});
dag({ dagId: "blocking", schedule: null }, () => {
  task({ taskId: "deaf", retries: 1, retryDelay: { seconds: 0 }, executionTimeout: { seconds: 0.5 } }, async (ctx) => {
    note(ctx);
    const until = Date.now() + (ctx.ti.tryNumber > 1 ? 0 : ${DEAF_MS});
    while (Date.now() < until);
  })();
});
dag({ dagId: "in_time", schedule: null }, () => {
  task({ taskId: "deaf", retries: 1, retryDelay: { seconds: 0 }, executionTimeout: { seconds: 0.5 } }, async (ctx) => {
    note(ctx);
    if (ctx.ti.tryNumber === 1) await new Promise((resolve) => setTimeout(resolve, 800));
  })();
});
`;
}

const file = () => join(engine.home, "lines.ndjson");

function lines(run?: string): Line[] {
  if (!existsSync(file())) return [];
  const all = readFileSync(file(), "utf8").trim().split("\n").filter(Boolean);
  return all.map((line) => JSON.parse(line) as Line).filter((line) => run === undefined || line.run === run);
}

const firstTry = (run: string) => lines(run).filter(({ attempt, task }) => attempt === 1 && task === "deaf");

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

function logOf(dagId: string, run: string, attempt: number): string {
  const path = `dag_id=${dagId}/run_id=${run}/task_id=deaf/attempt=${attempt}.log`;
  return readFileSync(join(engine.config.logging.base_log_folder, path), "utf8");
}

/** With its own run id: runs of several DAGs that are triggered at the same moment would have the same id. */
function trigger(dagId: string): Promise<string> {
  return engine.trigger(dagId, { runId: `run_of_${dagId}` });
}

/** The cases run concurrently, which `expect.poll` does not support. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + STOPPED_WITHIN_MS;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`not within ${STOPPED_WITHIN_MS} ms: ${what}`);
    await sleep(20);
  }
}

async function begun(dagId: string): Promise<{ run: string; pid: number }> {
  const run = await trigger(dagId);
  await until(() => firstTry(run).length > 3, "the first try writes");
  return { run, pid: firstTry(run)[0]?.pid ?? 0 };
}

async function expectGone(pid: number): Promise<void> {
  await until(() => !isAlive(pid), "the process is gone");
}

/** The first try's log says who ended it. */
async function expectTold(dagId: string, run: string, message: string): Promise<void> {
  const events = () =>
    logOf(dagId, run, 1)
      .split("\n")
      .filter(Boolean)
      .map((line) => String(JSON.parse(line).event));
  await until(() => events().some((event) => event.includes(message)), `the log says: ${message}`);
}

/** The first try wrote nothing after its successor had started, and had a different process. */
function expectApart(run: string): void {
  const last = firstTry(run).at(-1);
  const second = lines(run).find(({ attempt }) => attempt === 2);
  expect(second, "the second try ran").toBeDefined();
  expect(second?.pid).not.toBe(last?.pid);
  expect(second?.at ?? 0, "the second try began after the first had written its last").toBeGreaterThanOrEqual(last?.at ?? 0);
  expect(isAlive(last?.pid ?? 0), "the first try's process is gone").toBe(false);
}

async function endOfFirst(run: string): Promise<{ endMs: number; reason: string }> {
  const { rows } = await engine.store.query<{ end: Date; reason: string }>(
    `select end_date as "end", reason from task_instance_history where run_id = $1 and task_id = 'deaf' and try_number = 1`,
    [run],
  );
  return { endMs: rows[0]?.end.getTime() ?? 0, reason: rows[0]?.reason ?? "" };
}

describe.concurrent("a task that ignores its signal", () => {
  test("past its executionTimeout has written its last when its end is stored, and the reason says limit and grace", async () => {
    const run = await trigger("overdue");
    expect(await engine.finished("overdue", run)).toBe("success");
    expectApart(run);
    const { endMs, reason } = await endOfFirst(run);
    expect(firstTry(run).at(-1)?.at ?? 0).toBeLessThanOrEqual(endMs);
    expect(reason).toBe(
      "TaskTimeoutError: the task took longer than its executionTimeout of 0.5 s; it did not end within the grace of 6 s, and its process was killed",
    );
    const log = () => logOf("overdue", run, 1);
    const told = /the try ended: failed after \d+\.\d{3} s: 0\.5 s limit \+ 6 s grace, then its process was killed/;
    await until(() => told.test(log()), "the log says how long it took");
    // The output of one try is not in the other's log.
    expect(logOf("overdue", run, 2)).not.toContain(`line of ${firstTry(run)[0]?.id}`);
  });

  test("and holds its event loop, likewise", async () => {
    const run = await trigger("blocking");
    expect(await engine.finished("blocking", run)).toBe("success");
    expectApart(run);
    expect((await endOfFirst(run)).reason).toMatch(/executionTimeout of 0\.5 s; it did not end within the grace of 6 s/);
  });

  test("for less than the grace fails by its limit all the same, and its process serves no other try", async () => {
    const run = await trigger("in_time");
    expect(await engine.finished("in_time", run)).toBe("success");
    expectApart(run);
    expect((await endOfFirst(run)).reason).toBe("TaskTimeoutError: the task took longer than its executionTimeout of 0.5 s");
    const log = () => logOf("in_time", run, 1);
    await until(
      () => /failed after \d\.\d{3} s: 0\.5 s limit \+ \d\.\d{3} s of the 6 s grace/.test(log()),
      "the log says how long it took",
    );
  });

  test("and is cleared, is gone before its successor begins", async () => {
    const { run, pid } = await begun("cleared");
    await clearRuns(engine.store, createDagCache(), {
      by: { user: "ada" },
      dagId: "cleared",
      runs: { kind: "one", runId: run, past: false, future: false },
      taskIds: ["deaf"],
      directions: { upstream: false, downstream: false },
      states: null,
      resetRuns: true,
      preventRunning: false,
      dryRun: false,
    });
    expect(await engine.finished("cleared", run)).toBe("success");
    expectApart(run);
    await expectGone(pid);
    await expectTold("cleared", run, 'no longer assigned to this worker: cleared by "ada"; its process is stopped');
  });

  test("and is marked, is gone within a heartbeat and the grace", async () => {
    const { run, pid } = await begun("marked");
    await markInstances(engine.store, createDagCache(), {
      by: { user: "ada" },
      dagId: "marked",
      runs: { kind: "one", runId: run, past: false, future: false },
      taskId: "deaf",
      mapIndex: null,
      directions: { upstream: false, downstream: false },
      state: "success",
      dryRun: false,
    });
    expect(await engine.finished("marked", run)).toBe("success");
    await expectGone(pid);
    await expectTold("marked", run, 'no longer assigned to this worker: marked success by "ada"; its process is stopped');
  });

  test("and whose run is over its dagrunTimeout, is gone within a heartbeat and the grace", async () => {
    const { run, pid } = await begun("late_run");
    expect(await engine.finished("late_run", run)).toBe("failed");
    await expectGone(pid);
    await expectTold(
      "late_run",
      run,
      "no longer assigned to this worker: its DAG run took longer than its dagrunTimeout of 5 s; its process is stopped",
    );
  });

  test("and whose run failed fast, is gone within a heartbeat and the grace", async () => {
    const { run, pid } = await begun("failing_fast");
    expect(await engine.finished("failing_fast", run)).toBe("failed");
    await expectGone(pid);
    await expectTold(
      "failing_fast",
      run,
      'no longer assigned to this worker: its DAG has failFast, and task "fails" failed; its process is stopped',
    );
  });
});

test("a task whose worker is drained is gone when its end is stored, and is tried again elsewhere", async () => {
  const { run, pid } = await begun("drained");
  await engine.scheduler().stop();
  expect(isAlive(pid)).toBe(false);
  const { endMs, reason } = await endOfFirst(run);
  expect(reason).toMatch(/^WorkerShutdownError: .*; it did not end within the grace of 6 s, and its process was killed$/);
  expect(firstTry(run).at(-1)?.at ?? 0).toBeLessThanOrEqual(endMs);
  const other = await startSchedulerPart(engine.config, engine.database.open(), engine.apiUrl, silentLogger);
  expect(await engine.finished("drained", run)).toBe("success");
  expectApart(run);
  await other.stop();
});
