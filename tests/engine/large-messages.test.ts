/**
 * Data that is larger than a message between processes: it is sent in pieces, or fails its try with a message that names size and
 * limit.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readEncryptionKey } from "../../src/config/index.ts";
import { createCipher, setVariable } from "../../src/store/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__CORE__PARALLELISM: "3",
      BARAM__XCOM__MAX_SIZE_BYTES: "16777216",
      BARAM__TRIGGERER__MAX_TRIGGER_DEATHS: "1",
    },
  });
}, 60_000);
afterAll(() => engine?.stop());

function logOf(dagId: string, runId: string, taskId: string): string {
  const path = `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=1.log`;
  return readFileSync(join(engine.config.logging.base_log_folder, path), "utf8");
}

async function resultOf(runId: string, taskId: string): Promise<unknown> {
  const { rows } = await engine.store.query<{ value: unknown }>(
    `select x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and x.task_id = $2 and x.key = 'return_value'`,
    [runId, taskId],
  );
  return rows[0]?.value;
}

test("400 results of 200 kB, 80 MB together, are reduced by one task", async () => {
  await engine.load({
    "reduce.ts": `
import { randomBytes } from "node:crypto";
import { dag, task } from "baram";
export default dag({ dagId: "reduce", schedule: null, maxActiveTasks: 32 }, () => {
  const parts = task({ taskId: "part" }, async (_ctx, n: number) => n + ":" + randomBytes(100_000).toString("hex"))
    .expand(Array.from({ length: 400 }, (_, n) => n));
  task({ taskId: "reduce" }, async (_ctx, all: string[]) => [all.length, all.every((one, at) => one.startsWith(at + ":")), all.join("").length > 80e6])(parts);
});`,
  });
  const runId = await engine.trigger("reduce");
  expect(await engine.finished("reduce", runId, 90_000)).toBe("success");
  expect(await resultOf(runId, "reduce")).toEqual([400, true, true]);
}, 120_000);

test("elements above the limit fail the instance they are for, with size and limit, and its callback is run all the same", async () => {
  const mark = join(engine.home, "failed.txt");
  await engine.load({
    "elements.ts": `
import { writeFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "elements", schedule: null }, () => {
  const large = [0, 1, 2, 3, 4].map((n) => task({ taskId: "large" + n }, async () => ["x".repeat(14e6)])());
  const [a, b, c, d, e] = large;
  task({ taskId: "all", retries: 3, onFailure: (ctx) => writeFileSync(${JSON.stringify(mark)}, ctx.reason) },
    async (_ctx, ...five: string[]) => five.length).expand(a, b, c, d, e);
});`,
  });
  const runId = await engine.trigger("elements");
  expect(await engine.finished("elements", runId, 60_000)).toBe("failed");
  const path = `dag_id=elements/run_id=${runId}/task_id=all/map_index=0/attempt=1.log`;
  const log = () => readFileSync(join(engine.config.logging.base_log_folder, path), "utf8");
  await expect.poll(log).toMatch(/cannot be handed to its process: a message of 7\d{7} bytes cannot be sent; at most 67108864/);
  await expect.poll(() => existsSync(mark) && readFileSync(mark, "utf8"), { timeout: 10_000 }).toMatch(/at most 67108864/);
}, 90_000);

test("an end, a call, an answer and a line that are too large are told to who waits for them, and the process goes on", async () => {
  const mark = join(engine.home, "end.txt");
  await setVariable(engine.store, createCipher(readEncryptionKey(engine.config)), {
    key: "huge",
    value: "x".repeat(70e6),
    description: null,
  });
  await engine.load({
    "both_ways.ts": `
import { appendFileSync } from "node:fs";
import { DateTimeTrigger, dag, defer, task } from "baram";
const reasonOf = (work: Promise<unknown>) => work.then(() => "no error", (error) => error.message);
export default dag({ dagId: "both_ways", schedule: null }, () => {
  task({ taskId: "calls" }, async (ctx) => {
    ctx.logger.info("with facts", { large: "x".repeat(70e6) });
    return [process.pid, await reasonOf(ctx.setVariable("v", "x".repeat(70e6))), await reasonOf(ctx.variable("huge")), process.pid];
  })();
  const tell = (name: string) => (ctx) => appendFileSync(${JSON.stringify(mark)}, name + ": " + ctx.reason + "\\n");
  task({ taskId: "ends", retries: 3, onFailure: tell("failure"), onSuccess: tell("success") }, async () =>
    defer({ trigger: new DateTimeTrigger({ moment: new Date() }), kwargs: { large: "x".repeat(70e6) } }))();
});`,
  });
  const runId = await engine.trigger("both_ways");
  expect(await engine.finished("both_ways", runId, 60_000)).toBe("failed");
  const tooLong = /a message of \d{8} bytes cannot be sent; at most 67108864 are allowed/;
  expect(await resultOf(runId, "calls")).toEqual([
    expect.any(Number),
    expect.stringMatching(tooLong),
    expect.stringMatching(tooLong),
    expect.any(Number),
  ]);
  await expect.poll(() => logOf("both_ways", runId, "calls")).toMatch(/with facts … \[its facts are left out: 7\d{7} characters/);
  await expect.poll(() => logOf("both_ways", runId, "ends")).toMatch(/too large to be handed over: a message of 7\d{7} bytes/);
  await expect
    .poll(() => existsSync(mark) && readFileSync(mark, "utf8"), { timeout: 10_000 })
    .toMatch(/^failure: .*at most 67108864/);
  expect(await engine.states("both_ways", runId)).toEqual({ calls: "success", ends: "failed" });
}, 90_000);

test("a trigger's event that is too large fails that trigger, and the others of its process fire", async () => {
  const go = join(engine.home, "go");
  await engine.load({
    "events.ts": `
import { existsSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Large extends BaseTrigger {
  async *run(ctx) { ctx.logger.info("line", { large: "x".repeat(70e6) }); yield new TriggerEvent("x".repeat(70e6)); }
}
class Waits extends BaseTrigger {
  async *run(ctx) { while (!existsSync(${JSON.stringify(go)})) await ctx.sleep("50ms"); yield new TriggerEvent(); }
}
registerTrigger("Large", Large);
registerTrigger("Waits", Waits);
export default dag({ dagId: "events", schedule: null }, () => {
  task({ taskId: "waits" }, async (ctx) => ctx.resumed ? 1 : defer({ trigger: new Waits({}) }))();
  task({ taskId: "large" }, async (ctx) => ctx.resumed ? 1 : defer({ trigger: new Large({}) }))();
});`,
  });
  await engine.startTriggerer();
  const runId = await engine.trigger("events");
  await expect.poll(async () => (await engine.states("events", runId)).large, { timeout: 30_000 }).toBe("failed");
  writeFileSync(go, "");
  expect(await engine.finished("events", runId)).toBe("failed");
  expect((await engine.states("events", runId)).waits).toBe("success");
  expect(logOf("events", runId, "large")).toMatch(/its event is too large: a message of 7\d{7} bytes/);
  expect(logOf("events", runId, "large")).toContain("line … [its facts are left out");
}, 60_000);
