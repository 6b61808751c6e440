/** User code can write to the descriptor of its process. What does not match the schema ends that process, and nothing else. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";
import { deepFrame, frameOf, messageFrame } from "../support/forged-frames.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1",
      BARAM__TRIGGERER__BLOCKED_PROCESS_TIMEOUT: "3",
      BARAM__TRIGGERER__MAX_TRIGGER_DEATHS: "2",
    },
  });
  await engine.startTriggerer();
}, 60_000);
afterAll(() => engine?.stop(), 60_000);

/** A DAG with a task for each forged text, and one beside it whose task ends when the file `go` is there. */
const attackers = (forged: readonly string[], go: string) => `
import { existsSync, writeSync } from "node:fs";
import { dag, task } from "baram";
const attack = task({ taskId: "attack" }, async (ctx, bytes: string) => {
  let left = Buffer.from(bytes, "base64");
  while (left.length > 0) {
    try { left = left.subarray(writeSync(3, left)); } catch (error: any) { if (error.code !== "EAGAIN") throw error; }
  }
  await ctx.sleep("3s");
});
const beside = task({ taskId: "beside" }, async (ctx) => {
  while (!existsSync(${JSON.stringify(go)})) await ctx.sleep("50ms");
});
export const attackers = dag({ dagId: "attackers", schedule: null }, () => { attack.expand(${JSON.stringify(forged)}); });
export const neighbour = dag({ dagId: "neighbour", schedule: null }, () => { beside(); });
`;

const logOf = (dagId: string, runId: string, taskId: string, rest: string) =>
  readFileSync(join(engine.config.logging.base_log_folder, `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/${rest}`), "utf8");

const FORGED: readonly [what: string, bytes: Buffer, reason: string][] = [
  ["null", frameOf("null"), "does not match its schema"],
  ["a log without a message", messageFrame({ type: "log" }), "level: "],
  ["an outcome that is null", messageFrame({ type: "outcome", outcome: null }), "outcome: "],
  [
    "an outcome of no state",
    messageFrame({ type: "outcome", outcome: { state: "odd" }, endsProcess: false, spawnedSince: null }),
    "outcome.state",
  ],
  ["an unknown type", messageFrame({ type: "constructor" }), "type: "],
  ["facts nested 40,000 deep", deepFrame('{"type":"log","level":"info","message":"m","facts":{"a":', "}}"), "nested deeper than"],
  ["text that is not JSON", frameOf("{"), "not JSON"],
  ["a frame that is announced with 4 GB", frameOf("x", 0xffff_ffff), "frame of 4294967295 bytes"],
  ["that it is free", messageFrame({ type: "idle", rssBytes: 1, spent: null, spawnedSince: null }), "not how the task ended"],
  [
    "2,000 calls at once",
    Buffer.concat(
      Array.from({ length: 2_000 }, (_, call) =>
        messageFrame({ type: "call", call, method: "getVariable", params: { key: "k" } }),
      ),
    ),
    "more than 1000 calls",
  ],
];

test("a task that forges messages fails with the reason, and its neighbours go on", async () => {
  const go = join(engine.home, "go");
  const forged = FORGED.map(([, bytes]) => bytes.toString("base64"));
  await engine.load({ "attackers.ts": attackers(forged, go) });
  const beside = await engine.trigger("neighbour");
  await expect.poll(() => engine.states("neighbour", beside), { timeout: 20_000 }).toEqual({ beside: "running" });
  const runId = await engine.trigger("attackers");
  expect(await engine.finished("attackers", runId, 60_000)).toBe("failed");
  const states = await engine.states("attackers", runId);
  for (const [at, [what, , reason]] of FORGED.entries()) {
    expect([what, states[`attack[${at}]`]]).toEqual([what, "failed"]);
    await expect
      .poll(() => logOf("attackers", runId, "attack", `map_index=${at}/attempt=1.log`), { timeout: 5_000 })
      .toContain(reason);
  }
  writeFileSync(go, "");
  expect(await engine.finished("neighbour", beside)).toBe("success");
}, 120_000);

test("facts of a log line cannot replace the platform's fields, and cost nobody anything", async () => {
  await engine.load({
    "facts.ts": `
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
const FACTS = { event: { id: 7 }, timestamp: 3, level: null, logger: "baram", id: 8, huge: 5n };
class Noisy extends BaseTrigger {
  async *run(ctx) { ctx.logger.info("from the trigger", FACTS); yield new TriggerEvent({ got: 1 }); }
}
registerTrigger("Noisy", Noisy);
export default dag({ dagId: "facts", schedule: null }, () => {
  task({ taskId: "log" }, async (ctx) => {
    ctx.logger.info("got", FACTS);
    ctx.logger.info({ odd: true } as never, { text: "x".repeat(300_000) });
    ctx.logger.info("x".repeat(2_000_000));
  })();
  task({ taskId: "wait" }, async (ctx) => { if (!ctx.resumed) defer({ trigger: new Noisy({}), method: "__resume__" }); })();
});`,
  });
  const runId = await engine.trigger("facts");
  expect(await engine.finished("facts", runId, 60_000)).toBe("success");
  const lines = async (taskId: string, text: string) => {
    await expect.poll(() => logOf("facts", runId, taskId, "attempt=1.log"), { timeout: 5_000 }).toContain(text);
    return logOf("facts", runId, taskId, "attempt=1.log")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  const shown = { event_: { id: 7 }, timestamp_: 3, level_: null, logger_: "baram", id: 8, level: "info" };
  const logged = await lines("log", "the try ended");
  expect(logged.find(({ event }) => event === "got")).toMatchObject({ ...shown, logger: "task", huge: "5n" });
  expect(logged.some(({ event }) => event.startsWith("[object Object]") && event.includes("its facts are left out"))).toBe(true);
  expect(logged.some(({ event }) => event.includes("line truncated") || event.includes("message truncated"))).toBe(true);
  expect((await lines("wait", "from the trigger")).find(({ event }) => event === "from the trigger")).toMatchObject({
    ...shown,
    logger: "trigger",
  });
}, 60_000);

test("of the triggers in one process only the one that forges messages fails", async () => {
  const go = join(engine.home, "go-triggers");
  await engine.load({
    "forgers.ts": `
import { existsSync, writeSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Waits extends BaseTrigger {
  async *run(ctx) { while (!existsSync(${JSON.stringify(go)})) await ctx.sleep("50ms"); yield new TriggerEvent("fired"); }
}
class Forger extends BaseTrigger {
  async *run(ctx) { writeSync(3, Buffer.from(this.options.bytes, "base64")); await ctx.sleep("1h"); yield new TriggerEvent(); }
}
registerTrigger("Waits", Waits);
registerTrigger("Forger", Forger);
export default dag({ dagId: "forgers", schedule: null }, () => {
  const wait = task({ taskId: "wait" }, async (ctx, _n: number) => { if (!ctx.resumed) defer({ trigger: new Waits({}), method: "__resume__" }); });
  const forge = task({ taskId: "forge" }, async (ctx, bytes: string) => { if (!ctx.resumed) defer({ trigger: new Forger({ bytes }), method: "__resume__" }); });
  wait.expand([1, 2, 3]);
  forge.expand(${JSON.stringify(
    [
      messageFrame({ type: "log" }),
      frameOf("null"),
      messageFrame({ type: "call", call: 1, id: 1, method: "constructor", params: {} }),
    ].map((bytes) => bytes.toString("base64")),
  )});
});`,
  });
  const runId = await engine.trigger("forgers");
  const forged = async () => Object.entries(await engine.states("forgers", runId)).filter(([id]) => id.startsWith("forge"));
  await expect
    .poll(async () => (await forged()).map(([, state]) => state), { timeout: 60_000 })
    .toEqual(["failed", "failed", "failed"]);
  writeFileSync(go, "");
  await engine.finished("forgers", runId, 60_000);
  expect(await engine.states("forgers", runId)).toMatchObject({
    "wait[0]": "success",
    "wait[1]": "success",
    "wait[2]": "success",
  });
}, 150_000);

test("a task that floods its wire or its output keeps no other try waiting", async () => {
  await engine.load({
    "floods.ts": `
import { writeSync } from "node:fs";
import { dag, task } from "baram";
const frame = (text: string) => { const head = Buffer.alloc(4); head.writeUInt32BE(text.length); return Buffer.concat([head, Buffer.from(text)]); };
const write = (fd: number, bytes: Buffer) => { try { writeSync(fd, bytes); } catch (error: any) { if (error.code !== "EAGAIN") throw error; } };
const flood = task({ taskId: "flood", executionTimeout: "13s" }, async (_ctx, what: string) => {
  const lines = Buffer.from("\\n".repeat(65_536));
  const until = Date.now() + 12_000;
  while (Date.now() < until) {
    if (what === "ready") write(3, frame('{"type":"ready"}'));
    if (what === "spent") write(3, frame(JSON.stringify({ type: "spent", reason: "x".repeat(900) })));
    if (what === "lines") write(1, lines);
    await new Promise((resolve) => setTimeout(resolve, what === "ready" ? 50 : 0));
  }
});
export const floods = dag({ dagId: "floods", schedule: null }, () => { flood.expand(["ready", "spent", "lines"]); });
export const quick = dag({ dagId: "quick", schedule: null }, () => { task({ taskId: "work" }, () => 1)(); });
`,
  });
  expect(await engine.finished("quick", await engine.trigger("quick"))).toBe("success");
  const flooded = await engine.trigger("floods");
  await expect.poll(async () => Object.values(await engine.states("floods", flooded)), { timeout: 20_000 }).toContain("running");
  for (let at = 0; at < 3; at++) {
    const from = performance.now();
    expect(await engine.finished("quick", await engine.trigger("quick"))).toBe("success");
    expect(performance.now() - from).toBeLessThan(6_000);
  }
  await engine.finished("floods", flooded, 60_000);
}, 120_000);

test("a trigger that makes calls without end fails alone", async () => {
  const go = join(engine.home, "go-calls");
  await engine.load({
    "callers.ts": `
import { existsSync, writeSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
const frame = (text: string) => { const head = Buffer.alloc(4); head.writeUInt32BE(text.length); return Buffer.concat([head, Buffer.from(text)]); };
class Waits extends BaseTrigger {
  async *run(ctx) { while (!existsSync(${JSON.stringify(go)})) await ctx.sleep("50ms"); yield new TriggerEvent("fired"); }
}
class Caller extends BaseTrigger {
  async *run(ctx) {
    for (let call = 1_000_000; ; call++) {
      const bytes = frame(JSON.stringify({ type: "call", call, id: 1, method: "getVariable", params: { key: "k" } }));
      try { writeSync(3, bytes); } catch (error) { if (error.code !== "EAGAIN") throw error; }
    }
  }
}
registerTrigger("Waits", Waits);
registerTrigger("Caller", Caller);
export default dag({ dagId: "callers", schedule: null }, () => {
  task({ taskId: "wait" }, async (ctx) => { if (!ctx.resumed) defer({ trigger: new Waits({}), method: "__resume__" }); })();
  task({ taskId: "call" }, async (ctx) => { if (!ctx.resumed) defer({ trigger: new Caller({}), method: "__resume__" }); })();
});`,
  });
  const runId = await engine.trigger("callers");
  await expect.poll(async () => (await engine.states("callers", runId)).call, { timeout: 60_000 }).toBe("failed");
  writeFileSync(go, "");
  await engine.finished("callers", runId, 60_000);
  expect(await engine.states("callers", runId)).toEqual({ wait: "success", call: "failed" });
}, 150_000);

test("output that is read slowly is not taken for work that the task left running", async () => {
  await engine.load({
    "shouts.ts": `
import { dag, task } from "baram";
const shout = task({ taskId: "shout" }, (_ctx, _n: number) => void process.stdout.write("123456789\\n".repeat(40_000)));
export default dag({ dagId: "shouts", schedule: null }, () => { shout.expand([1, 2]); });
`,
  });
  const runId = await engine.trigger("shouts");
  expect(await engine.finished("shouts", runId, 60_000)).toBe("success");
  for (const at of [0, 1]) {
    const log = () => logOf("shouts", runId, "shout", `map_index=${at}/attempt=1.log`);
    // Its last lines may be written a moment after the run has ended.
    await expect.poll(log, { timeout: 5_000 }).toContain("the try ended");
    expect(log()).not.toContain("left");
  }
}, 90_000);
