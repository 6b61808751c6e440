/** Changes that a task leaves in its process never affect another task: they are undone, or the process is replaced. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
afterAll(async () => {
  await engine?.stop();
});

/** Each changes the state of its process, which then runs the next task: there is only one process. */
const STATE_CHANGES: readonly (readonly [string, string])[] = [
  ["the working folder", `process.chdir("/")`],
  ["PATH", `process.env.PATH = "/nowhere"`],
  ["a variable that is new", `process.env.LEFT_BEHIND = "1"`],
  ["a variable that is gone", `delete process.env.PATH`],
  ["the whole environment", `process.env = { PATH: "/nowhere" }`],
  ["the umask", `process.umask(0o077)`],
  ["process.exitCode", `process.exitCode = 3`],
  ["process.title", `process.title = "mine"`],
  ["process.exit", `process.exit = (() => {}) as never`],
  ["Error.stackTraceLimit", `Error.stackTraceLimit = 1`],
  ["Error.prepareStackTrace", `Error.prepareStackTrace = () => "gone"`],
  ["Date", `globalThis.Date = class extends Date { static override now() { return 0; } } as DateConstructor`],
  ["Date.now", `Date.now = () => 0`],
  ["Math.random", `Math.random = () => 0`],
  ["console.log", `console.log = () => {}`],
  ["process.stdout.write", `process.stdout.write = () => true`],
  ["fetch", `globalThis.fetch = (async () => "mine") as never`],
  ["setTimeout", `globalThis.setTimeout = ((work: () => void) => work()) as never`],
  ["a listener for uncaught exceptions", `process.on("uncaughtException", () => {})`],
  ["a listener for rejections", `process.on("unhandledRejection", () => {})`],
  ["signal handlers", `process.removeAllListeners("SIGTERM"); process.on("SIGINT", () => {})`],
];

/** Work that goes on after its task, or changes that cannot be undone. */
const RUNNING: readonly (readonly [string, string, RegExp])[] = [
  ["a timer that throws later", `setTimeout(() => { throw new Error("late"); }, 400)`, /left 1 timer running/],
  ["an interval", `setInterval(() => appendFileSync(TICKS, "x"), 5)`, /left 1 timer running/],
  ["an interval without ref", `setInterval(() => appendFileSync(TICKS, "x"), 5).unref()`, /left 1 timer without ref running/],
  [
    "a loop that nobody waits for",
    `void (async () => { for (;;) { await new Promise((r) => setTimeout(r, 5)); appendFileSync(TICKS, "x"); } })()`,
    /left 1 timer running/,
  ],
  ["a server", `createServer().listen(0, "127.0.0.1")`, /left 1 server running/],
  ["a worker thread", `new Worker("setInterval(() => {}, 10)", { eval: true })`, /left .*worker thread/],
  ["a child process", `spawn("sleep", ["600"], { stdio: "ignore" })`, /left 1 child process running/],
  ["a file watcher", `watch(".")`, /left 1 file watcher running/],
  ["an ended stdout", `process.stdout.end()`, /its stdout was closed/],
  ["a closed stdout", `closeSync(1)`, /its stdout was closed/],
];

beforeAll(async () => {
  engine = await startEngine({
    environment: { BARAM__CORE__EXECUTOR: "SequentialExecutor", BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1" },
  });
  await engine.load({ "leftovers.ts": dags() });
}, 60_000);

function dags(): string {
  const chain = (dagId: string, leave: string) => `
chain(${JSON.stringify(dagId)}, async () => { ${leave}; });`;
  return `
import { execSync, spawn } from "node:child_process";
import { appendFileSync, closeSync, watch } from "node:fs";
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { dag, task } from "baram";
const TICKS = ${JSON.stringify(join(engine.home, "ticks"))};
const WRITE = process.stdout.write;
const EXIT = process.exit;
const TIMEOUT = setTimeout;
const LOG = console.log;

const look = async () => {
  console.log("heard");
  return {
    // BARAM_RUNNER_ID is left out: it identifies a process, so it differs between processes.
    cwd: process.cwd(), env: Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "BARAM_RUNNER_ID")), umask: process.umask(), exitCode: process.exitCode ?? null, title: process.title,
    limit: Error.stackTraceLimit, stack: (new Error("x").stack ?? "").split("\\n")[0], now: Date.now() > 1e12, random: Math.random() > 0,
    same: [process.exit === EXIT, process.stdout.write === WRITE, setTimeout === TIMEOUT, console.log === LOG, String(fetch).includes("mine")],
    listeners: ["uncaughtException", "unhandledRejection", "SIGTERM", "SIGINT"].map((name) => process.listenerCount(name)),
    pid: process.pid,
  };
};
function chain(dagId: string, leave: (ctx: any) => unknown, settings: object = {}) {
  dag({ dagId, schedule: null }, () => {
    const before = task({ taskId: "before" }, look)();
    const leaves = task({ taskId: "leaves", ...settings }, async (ctx) => { await leave(ctx); })();
    const after = task({ taskId: "after", triggerRule: "all_done" }, async () => {
      const seen = await look();
      await new Promise((resolve) => setTimeout(resolve, dagId.startsWith("running") ? 600 : 0));
      return seen;
    })();
    before.before(leaves);
    leaves.before(after);
  });
}
${STATE_CHANGES.map(([, leave], at) => chain(`state_${at}`, leave)).join("")}
${RUNNING.map(([, leave], at) => chain(`running_${at}`, leave)).join("")}
chain("nothing", () => {});
chain("throws_outside", async () => { setTimeout(() => { throw new Error("outside"); }, 20); await new Promise((resolve) => setTimeout(resolve, 30_000)); });
chain("rejects_unseen", async () => { void Promise.reject(new Error("nobody looks")); await new Promise((resolve) => setTimeout(resolve, 30_000)); });
chain("rejects_at_its_end", async () => { void Promise.reject(new Error("nobody looks")); });
chain("handles_its_own", async () => { process.on("unhandledRejection", () => {}); void Promise.reject(new Error("it looks itself")); });
chain("not_awaited", async () => { void new Promise((resolve) => setTimeout(resolve, 5)); });
chain("tells", async () => { setInterval(() => {}, 1_000); }, { onSuccess: () => console.log("the callback ran") });
chain("tells_of_failure", async () => { void Promise.reject(new Error("nobody looks")); }, { onFailure: () => console.log("the callback ran") });
chain("fetches", async () => {
  const server = createServer((_request, answer) => { answer.end("body"); });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  await (await fetch("http://127.0.0.1:" + (server.address() as any).port)).text();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
dag({ dagId: "daemon", schedule: null }, () => {
  task({ taskId: "leaves" }, async () => Number(String(execSync("setsid sleep 600 > /dev/null 2>&1 & echo $!"))))();
});
`;
}

type Seen = { pid: number } & Record<string, unknown>;

async function run(dagId: string): Promise<{ runId: string; states: Record<string, unknown>; before: Seen; after: Seen }> {
  const runId = await engine.trigger(dagId);
  await engine.finished(dagId, runId, 20_000);
  const { rows } = await engine.store.query<{ taskId: string; value: Seen }>(
    `select x.task_id as "taskId", x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1`,
    [runId],
  );
  const resultOf = (taskId: string) => rows.find((row) => row.taskId === taskId)?.value ?? { pid: 0 };
  return { runId, states: await engine.states(dagId, runId), before: resultOf("before"), after: resultOf("after") };
}

function logOf(dagId: string, runId: string, taskId: string): string {
  return readFileSync(
    join(engine.config.logging.base_log_folder, `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=1.log`),
    "utf8",
  );
}

const ALL_WELL = { before: "success", leaves: "success", after: "success" };

test("a task that leaves nothing, or what ends by itself in a moment, keeps its process for the next", async () => {
  for (const dagId of ["nothing", "not_awaited", "fetches"]) {
    const { states, before, after } = await run(dagId);
    expect(states).toEqual(ALL_WELL);
    expect(after, dagId).toEqual(before);
  }
});

describe("the next task finds as it was", () => {
  test.each(STATE_CHANGES.map(([what], at) => [what, `state_${at}`] as const))("%s", async (_what, dagId) => {
    const { states, before, after } = await run(dagId);
    expect(states).toEqual(ALL_WELL);
    // The process is the same too: changes that can be undone need no new process.
    expect(after).toEqual(before);
  });
});

describe("the next task runs in another process after", () => {
  test.each(RUNNING.map(([what, , told], at) => [what, told, `running_${at}`] as const))("%s", async (_what, told, dagId) => {
    const { runId, states, before, after } = await run(dagId);
    expect(states).toEqual(ALL_WELL);
    expect(after.pid).not.toBe(before.pid);
    expect({ ...after, pid: 0 }).toEqual({ ...before, pid: 0 });
    // The message is in the log of the task that caused it, and the next task's output is logged.
    await expect.poll(() => logOf(dagId, runId, "leaves")).toMatch(told);
    await expect.poll(() => logOf(dagId, runId, "after")).toContain("heard");
  });

  test("a task whose callback ran all the same", async () => {
    const { runId, states, before, after } = await run("tells");
    expect(states).toEqual(ALL_WELL);
    expect(after.pid).not.toBe(before.pid);
    expect(logOf("tells", runId, "leaves")).toContain("the callback ran");
  });
});

describe("fails its own try, and no other, as it would end a process of Node", () => {
  test.each([
    ["throws_outside", /outside/],
    ["rejects_unseen", /nobody looks/],
    ["rejects_at_its_end", /nobody looks/],
  ])("%s", async (dagId, told) => {
    const { runId, states } = await run(dagId);
    expect(states).toEqual({ before: "success", leaves: "failed", after: "success" });
    await expect.poll(() => logOf(dagId, runId, "leaves")).toMatch(told);
    expect(logOf(dagId, runId, "after")).not.toMatch(told);
  });

  test("unless the task handles such errors itself", async () => {
    expect((await run("handles_its_own")).states).toEqual(ALL_WELL);
  });

  test("and its callback runs, in a process of its own", async () => {
    const { states } = await run("tells_of_failure");
    expect(states.leaves).toBe("failed");
    const owed = async () =>
      (await engine.store.query<{ state: string }>("select state from callback_request where data ->> 'callback' = 'onFailure'"))
        .rows;
    await expect.poll(owed, { timeout: 10_000 }).toEqual([{ state: "success" }]);
  });
});

test("what a command that was waited for left in the background is ended with the task", async () => {
  const { rows } = await (async () => {
    const runId = await engine.trigger("daemon");
    await engine.finished("daemon", runId);
    return engine.store.query<{ value: number }>(
      "select x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1",
      [runId],
    );
  })();
  const pid = rows[0]?.value ?? 0;
  expect(pid).toBeGreaterThan(1);
  const isAlive = () => {
    try {
      return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
    } catch {
      return false;
    }
  };
  await expect.poll(isAlive, { timeout: 2_000 }).toBe(false);
});
