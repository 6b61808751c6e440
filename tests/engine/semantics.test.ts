import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deleteDagRun } from "../../src/scheduler/commands/index.ts";
import { clearRun } from "../../src/scheduler/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM_CONN_STORE: "postgres://scott:t1ger-secret@db:5432/shop",
      BARAM_VAR_API_TOKEN: "very-secret-token",
      BARAM__XCOM__MAX_SIZE_BYTES: "20000",
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1",
    },
  });
}, 60_000);
afterAll(async () => {
  await engine?.stop();
});

function logOf(dagId: string, runId: string, taskId: string, attempt = 1): string {
  return readFileSync(
    join(engine.config.logging.base_log_folder, `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=${attempt}.log`),
    "utf8",
  );
}

/** The last lines of the log may be written a moment after the run has ended. */
function expectLog(dagId: string, runId: string, taskId: string, attempt = 1) {
  return expect.poll(() => logOf(dagId, runId, taskId, attempt), { timeout: 5_000 });
}

async function run(
  dagId: string,
  options: Parameters<Engine["trigger"]>[1] = {},
): Promise<{ runId: string; state: string; states: Record<string, string | null> }> {
  const runId = await engine.trigger(dagId, options);
  const state = await engine.finished(dagId, runId);
  return { runId, state, states: await engine.states(dagId, runId) };
}

test("a failing try is retried after its delay, each try with an id and a log of its own", async () => {
  await engine.load({
    "retry.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "retry", schedule: null }, () => {
  task({ taskId: "flaky", retries: 2, retryDelay: { seconds: 0.2 } }, async (ctx) => {
    if (ctx.ti.tryNumber < 3) throw new TypeError("not yet, try " + ctx.ti.tryNumber);
    return "at last";
  })();
});`,
  });
  const { runId, state } = await run("retry");
  expect(state).toBe("success");
  const { rows: history } = await engine.store.query<{ id: string; try_number: number; state: string; reason: string }>(
    "select id, try_number, state, reason from task_instance_history where run_id = $1 order by try_number",
    [runId],
  );
  expect(history.map(({ try_number, state: was, reason }) => [try_number, was, reason])).toEqual([
    [1, "failed", "TypeError: not yet, try 1"],
    [2, "failed", "TypeError: not yet, try 2"],
  ]);
  const { rows: current } = await engine.store.query<{ id: string; try_number: number }>(
    "select id, try_number from task_instance where run_id = $1",
    [runId],
  );
  expect(current[0]?.try_number).toBe(3);
  expect(new Set([...history.map((one) => one.id), current[0]?.id]).size).toBe(3);
  await expectLog("retry", runId, "flaky", 2).toContain("not yet, try 2");
});

test("FailError is not retried, SkipError skips, and both show downstream", async () => {
  await engine.load({
    "signals.ts": `
import { dag, task, FailError, SkipError } from "baram";
export default dag({ dagId: "signals", schedule: null, defaultArgs: { retries: 3, retryDelay: { seconds: 0.1 } } }, () => {
  const fail = task({ taskId: "fail" }, async () => { throw new FailError("for good"); })();
  const skip = task({ taskId: "skip" }, async () => { throw new SkipError("not today"); })();
  task({ taskId: "after_fail" }, async () => {})().after(fail);
  task({ taskId: "after_skip" }, async () => {})().after(skip);
  task({ taskId: "anyway", triggerRule: "all_done" }, async () => {})().after(fail, skip);
});`,
  });
  const { runId, state, states } = await run("signals");
  expect(state).toBe("failed");
  expect(states).toEqual({
    fail: "failed",
    skip: "skipped",
    after_fail: "upstream_failed",
    after_skip: "skipped",
    anyway: "success",
  });
  const { rows } = await engine.store.query("select 1 from task_instance_history where run_id = $1", [runId]);
  expect(rows).toHaveLength(0);
});

test("a branch runs what it chose and skips the rest; a short circuit skips all that follows", async () => {
  await engine.load({
    "branches.ts": `
import { dag, task, chain } from "baram";
import { branch, shortCircuit, EmptyOperator } from "baram/operators";
export default dag({ dagId: "branches", schedule: null }, () => {
  const pick = branch({ taskId: "pick" }, async () => "left")();
  const left = task({ taskId: "left" }, async () => {})();
  const right = task({ taskId: "right" }, async () => {})();
  const join = new EmptyOperator({ taskId: "join", triggerRule: "none_failed_min_one_success" });
  chain(pick, [left, right], join);
  const gate = shortCircuit({ taskId: "gate" }, async () => false)();
  chain(gate, new EmptyOperator({ taskId: "behind" }), new EmptyOperator({ taskId: "far_behind", triggerRule: "all_done" }));
});`,
  });
  const { state, states } = await run("branches");
  expect(states).toEqual({
    pick: "success",
    left: "success",
    right: "skipped",
    join: "success",
    gate: "success",
    behind: "skipped",
    far_behind: "skipped",
  });
  expect(state).toBe("success");
});

test("a reschedule sensor gives its slot back between pokes and goes on with the same try", async () => {
  const flag = join(engine.home, "flag");
  await engine.load({
    "sensor.ts": `
import { existsSync, writeFileSync, appendFileSync } from "node:fs";
import { dag, task } from "baram";
import { sensor } from "baram/operators";
export default dag({ dagId: "sensor", schedule: null }, () => {
  const wait = sensor({ taskId: "wait", mode: "reschedule", pokeInterval: { seconds: 0.2 }, timeout: "1m" }, async () => {
    appendFileSync(${JSON.stringify(flag)}, "x");
    return (await import("node:fs")).readFileSync(${JSON.stringify(flag)}, "utf8").length >= 3;
  })();
  task({ taskId: "after" }, async () => {})().after(wait);
});`,
  });
  const { runId, state } = await run("sensor");
  expect(state).toBe("success");
  const { rows } = await engine.store.query<{ try_number: number }>(
    "select try_number from task_instance where run_id = $1 and task_id = 'wait'",
    [runId],
  );
  expect(rows[0]?.try_number).toBe(1);
  expect(readFileSync(flag, "utf8")).toBe("xxx");
});

test("connections and variables reach the task, and their secrets do not reach the log", async () => {
  await engine.load({
    "secrets.ts": `
import { dag, task } from "baram";
import { BashOperator } from "baram/operators";
export default dag({ dagId: "secrets", schedule: null }, () => {
  task({ taskId: "use" }, async (ctx) => {
    const connection = await ctx.connection("store");
    const token = await ctx.variable("api_token");
    console.log("password is " + connection.password + ", token is " + token);
    ctx.logger.info("base64 " + Buffer.from(connection.password ?? "").toString("base64"));
    return connection.login + "@" + connection.host + ":" + connection.port;
  })();
  new BashOperator({ taskId: "bash", bashCommand: "echo token={{ var.value.api_token }} host={{ conn.store.host }}" });
});`,
  });
  const { runId, state } = await run("secrets");
  expect(state).toBe("success");
  const { rows } = await engine.store.query(
    "select value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and task_id = 'use'",
    [runId],
  );
  expect(rows).toEqual([{ value: "scott@db:5432" }]);
  await expectLog("secrets", runId, "use").toContain("password is ***, token is ***");
  await expectLog("secrets", runId, "use").toContain("the try ended");
  await expectLog("secrets", runId, "bash").toContain("the try ended");
  const logs = logOf("secrets", runId, "use") + logOf("secrets", runId, "bash");
  expect(logs).toContain("token=*** host=db");
  expect(logs).not.toContain("t1ger-secret");
  expect(logs).not.toContain("very-secret-token");
  expect(logs).not.toContain(Buffer.from("t1ger-secret").toString("base64").replace(/=+$/, ""));
  const { rows: fields } = await engine.store.query("select fields from rendered_task_instance_fields");
  expect(JSON.stringify(fields)).not.toContain("very-secret-token");
});

test("an XCom that is no JSON or too large fails its task with a message and no retry", async () => {
  await engine.load({
    "xcoms.ts": `
import { dag, task } from "baram";
const bad: Record<string, () => unknown> = {
  nan: () => ({ rows: [1, NaN] }),
  bigint: () => 10n,
  cyclic: () => { const a: any = {}; a.self = a; return a; },
  huge: () => "x".repeat(30000),
};
export default dag({ dagId: "xcoms", schedule: null, defaultArgs: { retries: 2 } }, () => {
  for (const [name, make] of Object.entries(bad)) task({ taskId: name }, async () => make() as any)();
});`,
  });
  const { runId, state, states } = await run("xcoms");
  expect(state).toBe("failed");
  expect(states).toEqual({ nan: "failed", bigint: "failed", cyclic: "failed", huge: "failed" });
  await expectLog("xcoms", runId, "nan").toContain("NaN");
  await expectLog("xcoms", runId, "huge").toContain("20000");
  const { rows } = await engine.store.query("select 1 from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1", [
    runId,
  ]);
  expect(rows).toHaveLength(0);
});

test("limits hold at every instant: pool slots, maxActiveTasks and maxActiveTisPerDagrun", async () => {
  const trace = join(engine.home, "limits.ndjson");
  await engine.store.query("insert into slot_pool (pool, slots) values ('narrow', 3)");
  await engine.load({
    "limits.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
const work = async (ctx: any) => {
  appendFileSync(${JSON.stringify(trace)}, JSON.stringify({ task: ctx.ti.taskId, at: "start" }) + "\\n");
  await new Promise((resolve) => setTimeout(resolve, 300));
  appendFileSync(${JSON.stringify(trace)}, JSON.stringify({ task: ctx.ti.taskId, at: "end" }) + "\\n");
};
export default dag({ dagId: "limits", schedule: null, maxActiveTasks: 5 }, () => {
  for (let i = 0; i < 6; i++) task({ taskId: "double" + i, pool: "narrow", poolSlots: 2 }, work)();
  for (let i = 0; i < 6; i++) task({ taskId: "single" + i, pool: "narrow" }, work)();
  for (let i = 0; i < 8; i++) task({ taskId: "free" + i }, work)();
});`,
  });
  const { state } = await run("limits");
  expect(state).toBe("success");
  let slots = 0;
  let tasks = 0;
  let mostSlots = 0;
  let mostTasks = 0;
  for (const line of readFileSync(trace, "utf8").trim().split("\n")) {
    const { task, at } = JSON.parse(line) as { task: string; at: string };
    const sign = at === "start" ? 1 : -1;
    tasks += sign;
    slots += sign * (task.startsWith("double") ? 2 : task.startsWith("single") ? 1 : 0);
    mostSlots = Math.max(mostSlots, slots);
    mostTasks = Math.max(mostTasks, tasks);
  }
  expect(mostSlots).toBeLessThanOrEqual(3);
  expect(mostTasks).toBeLessThanOrEqual(5);
  expect(mostTasks).toBeGreaterThan(1);
});

test("a run past its time-out fails, what waits is skipped and what runs is stopped", async () => {
  await engine.load({
    "slow-run.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "slow_run", schedule: null, dagrunTimeout: { seconds: 1 } }, () => {
  const slow = task({ taskId: "slow" }, async (ctx) => { await new Promise((r) => setTimeout(r, 60000)); })();
  task({ taskId: "never" }, async () => {})().after(slow);
});`,
  });
  const { state, states } = await run("slow_run");
  expect(state).toBe("failed");
  expect(states).toEqual({ slow: "skipped", never: "skipped" });
});

test("a task past its executionTimeout fails even if it holds its event loop", async () => {
  await engine.load({
    "timeouts.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "timeouts", schedule: null, defaultArgs: { executionTimeout: { seconds: 0.5 } } }, () => {
  task({ taskId: "polite" }, async (ctx) => { await new Promise((r) => setTimeout(r, 60000)); })();
  task({ taskId: "deaf" }, async () => { for (;;); })();
});`,
  });
  const { runId, state, states } = await run("timeouts");
  expect(state).toBe("failed");
  expect(states).toEqual({ polite: "failed", deaf: "failed" });
  await expectLog("timeouts", runId, "deaf").toContain("executionTimeout");
}, 40_000);

test("dependsOnPast waits for the same task of the run before", async () => {
  await engine.load({
    "past.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "past", schedule: null, startDate: "2026-01-01" }, () => {
  task({ taskId: "step", dependsOnPast: true }, async (ctx) => {
    if (ctx.run.runId === "first") await new Promise((r) => setTimeout(r, 700));
  })();
});`,
  });
  const first = await engine.trigger("past", { runId: "first", logicalDate: new Date("2026-01-01T00:00:00Z") });
  const second = await engine.trigger("past", { runId: "second", logicalDate: new Date("2026-01-02T00:00:00Z") });
  expect(await engine.finished("past", second)).toBe("success");
  expect(await engine.finished("past", first)).toBe("success");
  const { rows } = await engine.store.query<{ ok: boolean }>(
    "select (select start_date from task_instance where run_id = 'second') >= (select end_date from task_instance where run_id = 'first') as ok",
  );
  expect(rows[0]?.ok).toBe(true);
});

test("clearing a finished run runs it again, with its history kept", async () => {
  const { runId } = await run("retry");
  const cleared = await clearRun(engine.store, "retry", runId, { user: "ada" });
  expect(cleared.map((one) => one.taskId)).toEqual(["flaky"]);
  expect(await engine.finished("retry", runId)).toBe("success");
  const { rows } = await engine.store.query<{ try_number: number }>(
    "select try_number from task_instance_history where run_id = $1 order by try_number",
    [runId],
  );
  expect(rows.map((row) => row.try_number)).toEqual([1, 2, 3]);
});

test("a run that is created anew under a deleted one's id has its own log, whose parts before and after a wait stay together", async () => {
  await engine.load({
    "again.ts": `
import { dag } from "baram";
import { sensor } from "baram/operators";
export default dag({ dagId: "again", schedule: null }, () => {
  sensor({ taskId: "waits", mode: "reschedule", pokeInterval: { seconds: 0.2 } }, async (ctx) => {
    console.log("look of " + ctx.run.conf.who);
    return ctx.ti.startDate.getTime() + 100 < Date.now();
  })();
});`,
  });
  for (const who of ["first", "second"]) {
    await engine.trigger("again", { runId: "same", conf: { who } });
    expect(await engine.finished("again", "same")).toBe("success");
    await expectLog("again", "same", "waits").toContain("the try ended: success");
    if (who === "first") await deleteDagRun(engine.store, "again", "same");
  }
  const log = logOf("again", "same", "waits");
  expect(log).not.toContain("look of first");
  expect(log.match(/look of second/g)?.length).toBeGreaterThan(1);
});

test("callbacks run in the runner, after the outcome, and still make calls; a DAG's in a workload of its own", async () => {
  const trace = join(engine.home, "callbacks.txt");
  await engine.load({
    "callbacks.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
const note = (text: string) => appendFileSync(${JSON.stringify(trace)}, text + "\\n");
export default dag({ dagId: "callbacks", schedule: null, onFailure: async (ctx) => note("dag failed " + ctx.run.runId + " of " + (await ctx.connection("store")).host) }, () => {
  task({ taskId: "good", onSuccess: async (ctx) => note("good success of " + (await ctx.connection("store")).host), onExecute: () => note("good execute") }, async () => note("good runs"))();
  task({ taskId: "bad", retries: 1, retryDelay: { seconds: 0.1 }, onRetry: async (ctx) => { await ctx.setVariable("seen", "retry"); note("bad retry " + await ctx.variable("seen")); }, onFailure: async (ctx) => note("bad failure of " + (await ctx.connection("store")).host) }, async () => { throw new Error("no"); })();
});`,
  });
  const { runId } = await run("callbacks");
  await expect.poll(() => readFileSync(trace, "utf8"), { timeout: 10_000 }).toContain(`dag failed ${runId} of db`);
  const lines = readFileSync(trace, "utf8").trim().split("\n");
  expect(lines.filter((line) => line.startsWith("good"))).toEqual(["good execute", "good runs", "good success of db"]);
  expect(lines.filter((line) => line.startsWith("bad"))).toEqual(["bad retry retry", "bad failure of db"]);
});
