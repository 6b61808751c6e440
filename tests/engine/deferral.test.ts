/**
 * Deferred tasks on a complete engine: they hold no worker while they wait, and continue, fail or end as their triggers decide.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clearRun } from "../../src/scheduler/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL: "0.2",
      BARAM__TRIGGERER__BLOCKED_PROCESS_TIMEOUT: "3",
      BARAM__TRIGGERER__MAX_TRIGGER_DEATHS: "2",
    },
  });
  await engine.startTriggerer();
}, 60_000);
afterAll(() => engine?.stop(), 60_000);

function logOf(dagId: string, runId: string, taskId: string, attempt = 1): string {
  const path = `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=${attempt}.log`;
  return readFileSync(join(engine.config.logging.base_log_folder, path), "utf8");
}

async function xcoms(runId: string): Promise<Record<string, unknown>> {
  const { rows } = await engine.store.query<{ name: string; value: unknown }>(
    `select x.task_id || '.' || x.key as name, x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1`,
    [runId],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.value]));
}

async function triggerCount(): Promise<number> {
  return (await engine.store.query<{ n: number }>("select count(*)::int as n from trigger")).rows[0]?.n ?? -1;
}

async function untilDeferred(runId: string, taskId: string): Promise<void> {
  await expect.poll(() => stateOf(runId, taskId), { timeout: 15_000 }).toBe("deferred");
}

async function stateOf(runId: string, taskId: string): Promise<string | null | undefined> {
  const { rows } = await engine.store.query<{ state: string | null }>(
    "select state from task_instance where run_id = $1 and task_id = $2",
    [runId, taskId],
  );
  return rows[0]?.state;
}

test("operators go on in the named method, functions with ctx.resumed, with event, kwargs, XComs and the same try", async () => {
  await engine.load({
    "resume.ts": `
import { BaseOperator, BaseTrigger, dag, DateTimeTrigger, defer, registerTrigger, task, TimeDeltaTrigger, TriggerEvent } from "baram";

class Doubler extends BaseTrigger {
  async *run(ctx) {
    await ctx.sleep("100ms");
    ctx.logger.info("doubling", { n: this.options.n });
    yield new TriggerEvent({ doubled: this.options.n * 2, secret: await ctx.variable("none", { default: "?" }) });
  }
  async cleanup() { }
}
registerTrigger("Doubler", Doubler);

class Op extends BaseOperator {
  static templateFields = ["name"];
  async execute(ctx) {
    await ctx.xcom.push("before", ctx.ti.tryNumber);
    return defer({ trigger: new Doubler({ n: 21 }), method: "finish", kwargs: { tag: "k" }, timeout: "1m" });
  }
  async finish(ctx, event, kwargs) { return { event, kwargs, name: this.options.name, tryNumber: ctx.ti.tryNumber }; }
}
export default dag({ dagId: "resume", schedule: null }, () => {
  const op = new Op({ taskId: "op", name: "{{ run_id }}" });
  const fn = task({ taskId: "fn" }, async (ctx, given) => {
    if (ctx.resumed === null) return defer({ trigger: new TimeDeltaTrigger({ delta: "200ms" }), kwargs: { given } });
    return { given, kwargs: ctx.resumed.kwargs, fired: typeof ctx.resumed.event };
  });
  fn("arg");
  // Defers twice in one try.
  task({ taskId: "twice" }, async (ctx) => {
    const turn = ctx.resumed ? Number(ctx.resumed.kwargs.turn) : 0;
    if (turn < 2) return defer({ trigger: new DateTimeTrigger({ moment: new Date() }), kwargs: { turn: turn + 1 } });
    return turn;
  })();
});`,
  });
  const runId = await engine.trigger("resume");
  expect(await engine.finished("resume", runId)).toBe("success");
  expect(await xcoms(runId)).toEqual({
    "op.before": 1,
    "op.return_value": { event: { doubled: 42, secret: "?" }, kwargs: { tag: "k" }, name: runId, tryNumber: 1 },
    "fn.return_value": { given: "arg", kwargs: { given: "arg" }, fired: "string" },
    "twice.return_value": 2,
  });
  expect(await triggerCount()).toBe(0);
  await expect.poll(() => logOf("resume", runId, "op")).toContain("doubling");
  expect(logOf("resume", runId, "op")).toContain("fired; the task goes on");
}, 40_000);

test("a trigger that fails or takes too long fails the try, which is retried; what it was given is checked at once", async () => {
  await engine.load({
    "fails.ts": `
import { BaseOperator, BaseTrigger, dag, DateTimeTrigger, defer, FileTrigger, registerTrigger, task, TriggerEvent } from "baram";
class Fails extends BaseTrigger {
  async run(ctx) { throw new Error("no luck with " + this.options.n); }
}
registerTrigger("Fails", Fails);
class Unknown extends BaseTrigger { async run() { return new TriggerEvent(); } }
class Op extends BaseOperator {
  async execute() { return defer({ trigger: new DateTimeTrigger({ moment: new Date() }), method: "nothing" }); }
}
export default dag({ dagId: "fails", schedule: null }, () => {
  task({ taskId: "retried", retries: 1, retryDelay: "0s", onRetry: (ctx) => ctx.logger.info("told: " + ctx.error.name) }, async (ctx) => {
    if (ctx.ti.tryNumber === 2) return "second";
    return defer({ trigger: new Fails({ n: 7 }) });
  })();
  task({ taskId: "late" }, async () => defer({ trigger: new FileTrigger({ path: "/nowhere/at/all" }), timeout: "200ms" }))();
  task({ taskId: "overdue", executionTimeout: "500ms" }, async () => defer({ trigger: new FileTrigger({ path: "/nowhere/at/all" }) }))();
  task({ taskId: "unregistered" }, async () => defer({ trigger: new Unknown({}) }))();
  new Op({ taskId: "no_method" });
});`,
  });
  const runId = await engine.trigger("fails");
  expect(await engine.finished("fails", runId)).toBe("failed");
  expect(await engine.states("fails", runId)).toEqual({
    retried: "success",
    late: "failed",
    overdue: "failed",
    unregistered: "failed",
    no_method: "failed",
  });
  expect((await xcoms(runId))["retried.return_value"]).toBe("second");
  const log = (taskId: string) => expect.poll(() => logOf("fails", runId, taskId), { timeout: 5_000 });
  await log("retried").toContain("the trigger failed: Error: no luck with 7");
  await log("retried").toContain("told: TriggerFailureError");
  await log("late").toContain("TriggerTimeoutError");
  await log("overdue").toContain("TaskTimeoutError: the task took longer than its executionTimeout of 0.5 s");
  await log("unregistered").toContain('call registerTrigger(\\"Unknown\\", Unknown)');
  await log("no_method").toContain('names the method \\"nothing\\"');
  expect(await triggerCount()).toBe(0);
}, 40_000);

test("sensors in mode deferrable wait in the triggerer, and time out or are skipped as in other modes", async () => {
  const path = join(engine.home, "arrives.txt");
  await engine.load({
    "sensors.ts": `
import { BaseSensor, dag, DateTimeTrigger } from "baram";
import { ExternalTaskSensor, FileSensor, TimeDeltaSensor, TimeSensor } from "baram/operators";
class Twice extends BaseSensor {
  async poke() { return false; }
  createTrigger() { return new DateTimeTrigger({ moment: new Date() }); }
  async executeComplete(ctx) {
    const seen = ((await ctx.xcom.pull("twice", { key: "seen" })) ?? 0) + 1;
    await ctx.xcom.push("seen", seen);
    return seen < 2 ? false : { done: true, value: "after " + seen };
  }
}
const waits = { mode: "deferrable", pokeInterval: "100ms" };
export const sensors = dag({ dagId: "sensors", schedule: null }, () => {
  new FileSensor({ taskId: "file", path: ${JSON.stringify(path)}, ...waits });
  new TimeSensor({ taskId: "time", until: new Date(Date.now() + 2000).toISOString(), ...waits });
  new TimeDeltaSensor({ taskId: "delta", delta: "1s", ...waits });
  new Twice({ taskId: "twice", ...waits });
  new ExternalTaskSensor({ taskId: "external", externalDagId: "waited_for", externalTaskId: "ends", externalRunId: "{{ params.run }}", ...waits });
  new ExternalTaskSensor({ taskId: "external_failed", externalDagId: "waited_for", externalTaskId: "fails", externalRunId: "{{ params.run }}", softFail: true, ...waits });
  new FileSensor({ taskId: "never", path: "/nowhere/at/all", retries: 3, timeout: "300ms", ...waits });
  new FileSensor({ taskId: "skipped", path: "/nowhere/at/all", timeout: "300ms", softFail: true, ...waits });
});`,
    "waited-for.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "waited_for", schedule: null }, () => {
  task({ taskId: "ends" }, async () => 1)();
  task({ taskId: "fails" }, async () => { throw new Error("on purpose"); })();
});`,
  });
  const runId = await engine.trigger("sensors", { conf: { run: "the_run" } });
  for (const taskId of ["file", "external", "external_failed"]) await untilDeferred(runId, taskId);
  writeFileSync(path, "");
  await engine.trigger("waited_for", { runId: "the_run" });
  expect(await engine.finished("sensors", runId)).toBe("failed");
  expect(await engine.states("sensors", runId)).toEqual({
    file: "success",
    time: "success",
    delta: "success",
    twice: "success",
    external: "success",
    external_failed: "skipped",
    never: "failed",
    skipped: "skipped",
  });
  expect(await xcoms(runId)).toMatchObject({ "file.return_value": path, "twice.return_value": "after 2" });
}, 40_000);

test("a trigger may end its task itself; the callback it owes is run", async () => {
  await engine.load({
    "ends.ts": `
import { BaseTrigger, dag, defer, registerTrigger, task, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent } from "baram";
class Ends extends BaseTrigger {
  async *run() {
    if (this.options.how === "success") yield new TaskSuccessEvent("done", { extra: 1 });
    else yield this.options.how === "failed" ? new TaskFailedEvent("it says no") : new TaskSkippedEvent();
  }
}
registerTrigger("Ends", Ends);
export default dag({ dagId: "ends", schedule: null }, () => {
  for (const how of ["success", "failed", "skipped"]) {
    task({ taskId: how, retries: 3, onFailure: (ctx) => console.log("called back: " + ctx.reason) }, async (ctx) => {
      if (ctx.resumed) throw new Error("it went on");
      return defer({ trigger: new Ends({ how }) });
    })();
  }
});`,
  });
  const runId = await engine.trigger("ends");
  expect(await engine.finished("ends", runId)).toBe("failed");
  expect(await engine.states("ends", runId)).toEqual({ success: "success", failed: "failed", skipped: "skipped" });
  expect(await xcoms(runId)).toEqual({ "success.return_value": "done", "success.extra": 1 });
  const callbacks = async () =>
    (await engine.store.query<{ state: string }>("select state from callback_request")).rows.map((row) => row.state);
  await expect.poll(callbacks, { timeout: 10_000 }).toEqual(["success"]);
}, 40_000);

test("more tasks wait than workers and pool slots could hold; one that is cleared meanwhile runs anew, its trigger is stopped", async () => {
  const trace = join(engine.home, "stopped.txt");
  await engine.load({
    "crowd.ts": `
import { appendFileSync } from "node:fs";
import { BaseTrigger, dag, defer, FileTrigger, registerTrigger, task, TriggerEvent } from "baram";
class Long extends BaseTrigger {
  async *run(ctx) { await ctx.sleep("1h"); yield new TriggerEvent(); }
  async cleanup() { appendFileSync(${JSON.stringify(trace)}, "stopped"); }
}
registerTrigger("Long", Long);
export default dag({ dagId: "crowd", schedule: null, maxActiveTasks: 4 }, () => {
  for (let at = 0; at < 20; at++) {
    task({ taskId: "t" + at, pool: "crowd" }, async (ctx) => ctx.resumed ? at : defer({ trigger: new FileTrigger({ path: ${JSON.stringify(join(engine.home, "go"))}, pollInterval: "100ms" }) }))();
  }
  task({ taskId: "cleared" }, async (ctx) => ctx.ti.tryNumber === 1 ? defer({ trigger: new Long({}) }) : "anew")();
});`,
  });
  await engine.store.query("insert into slot_pool (pool, slots) values ('crowd', 1)");
  const runId = await engine.trigger("crowd");
  await expect.poll(triggerCount, { timeout: 20_000 }).toBe(21);
  await clearRun(engine.store, "crowd", runId, { user: "ada" }, { taskIds: ["cleared"] });
  await expect.poll(() => stateOf(runId, "cleared"), { timeout: 10_000 }).toBe("success");
  await expect.poll(() => readFileSync(trace, "utf8"), { timeout: 5_000 }).toBe("stopped");
  writeFileSync(join(engine.home, "go"), "");
  expect(await engine.finished("crowd", runId)).toBe("success");
}, 60_000);

test("a run that times out skips what is deferred in it, and nothing of it fires", async () => {
  await engine.load({
    "short.ts": `
import { dag, defer, FileTrigger, task } from "baram";
export default dag({ dagId: "short", schedule: null, dagrunTimeout: "1s" }, () => {
  task({ taskId: "waits" }, async () => defer({ trigger: new FileTrigger({ path: "/nowhere/at/all" }) }))();
});`,
  });
  const runId = await engine.trigger("short");
  expect(await engine.finished("short", runId)).toBe("failed");
  expect(await engine.states("short", runId)).toEqual({ waits: "skipped" });
  expect(await triggerCount()).toBe(0);
}, 30_000);

test("a trigger that blocks or kills its process fails after so many deaths, and harms no trigger of another module", async () => {
  const marks = join(engine.home, "starts.txt");
  writeFileSync(marks, "");
  await engine.load({
    "blocks.ts": `
import { appendFileSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Blocks extends BaseTrigger {
  async *run() { appendFileSync(${JSON.stringify(marks)}, "b"); for (;;); }
}
registerTrigger("Blocks", Blocks);
export default dag({ dagId: "blocks", schedule: null }, () => { task({ taskId: "t" }, async () => defer({ trigger: new Blocks({}) }))(); });`,
    "exits.ts": `
import { appendFileSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Exits extends BaseTrigger {
  async *run() { appendFileSync(${JSON.stringify(marks)}, "e"); process.exit(3); }
}
registerTrigger("Exits", Exits);
export default dag({ dagId: "exits", schedule: null }, () => { task({ taskId: "t" }, async () => defer({ trigger: new Exits({}) }))(); });`,
    "pauses.ts": `
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Pauses extends BaseTrigger {
  async *run(ctx) {
    const until = Date.now() + 400; while (Date.now() < until);
    await ctx.sleep("2500ms");
    yield new TriggerEvent();
  }
}
registerTrigger("Pauses", Pauses);
export default dag({ dagId: "pauses", schedule: null }, () => { task({ taskId: "t" }, async (ctx) => ctx.resumed ? 1 : defer({ trigger: new Pauses({}) }))(); });`,
  });
  const runs = {
    blocks: await engine.trigger("blocks"),
    exits: await engine.trigger("exits"),
    pauses: await engine.trigger("pauses"),
  };
  expect(await engine.finished("exits", runs.exits)).toBe("failed");
  expect(await engine.finished("blocks", runs.blocks)).toBe("failed");
  expect(await engine.finished("pauses", runs.pauses)).toBe("success");
  expect([...readFileSync(marks, "utf8")].sort().join("")).toBe("bbee");
  await expect.poll(() => logOf("exits", runs.exits, "t")).toMatch(/died 2 times; the last time, it ended with exit code 3/);
  await expect.poll(() => logOf("blocks", runs.blocks, "t")).toMatch(/died 2 times; the last time, its event loop was blocked/);
  expect(logOf("pauses", runs.pauses, "t"), "died with the others").not.toContain("died");
  expect(logOf("pauses", runs.pauses, "t")).toMatch(/was blocked for \d+ ms/);
}, 60_000);

test("one trigger that ends its process fails its task, and the tasks whose triggers were beside it go on", async () => {
  const go = join(engine.home, "innocents-go");
  await engine.load({
    "crowd.ts": `
import { existsSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Waits extends BaseTrigger {
  async *run(ctx) { while (!existsSync(${JSON.stringify(go)})) await ctx.sleep("50ms"); yield new TriggerEvent(); }
}
class Exits extends BaseTrigger {
  async *run(ctx) { await ctx.sleep("200ms"); process.exit(3); }
}
registerTrigger("Waits", Waits);
registerTrigger("Exits", Exits);
export default dag({ dagId: "crowd", schedule: null, maxActiveTasks: 16 }, () => {
  for (let at = 0; at < 8; at++)
    task({ taskId: "t" + at }, async (ctx) => (ctx.resumed ? 1 : defer({ trigger: at === 3 ? new Exits({}) : new Waits({}) })))();
});`,
  });
  const runId = await engine.trigger("crowd");
  await expect.poll(async () => (await engine.states("crowd", runId)).t3, { timeout: 40_000 }).toBe("failed");
  writeFileSync(go, "");
  expect(await engine.finished("crowd", runId)).toBe("failed");
  const states = await engine.states("crowd", runId);
  expect(Object.entries(states).filter(([, state]) => state === "success")).toHaveLength(7);
  expect(logOf("crowd", runId, "t3")).toMatch(/its process died 2 times; the last time, it ended with exit code 3/);
  expect(logOf("crowd", runId, "t4")).not.toMatch(/died \d/);
}, 90_000);
