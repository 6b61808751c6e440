/** The API is unavailable when a callback must run: it runs nevertheless, once. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type SchedulerPart, startSchedulerPart } from "../../src/main/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type ApiProxy, startProxy } from "../chaos/proxy.ts";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
let proxy: ApiProxy;
let scheduler: SchedulerPart;
beforeEach(async () => {
  engine = await startEngine({ withScheduler: false });
  proxy = await startProxy();
  proxy.setBackends([Number(new URL(engine.apiUrl).port)]);
  scheduler = await startSchedulerPart(engine.config, engine.database.open(), proxy.url, silentLogger);
}, 60_000);
afterEach(async () => {
  await scheduler.stop();
  await proxy.close();
  await engine.stop();
}, 60_000);

test("a callback whose start is refused five times, and the answer to whose end is lost, runs once and counts as done", async () => {
  const note = join(engine.home, "callback.txt");
  await engine.load({
    "d.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
dag({ dagId: "d", schedule: null, onSuccess: () => appendFileSync(${JSON.stringify(note)}, "ran\\n") }, () => { task({ taskId: "t" }, () => 1)(); });`,
  });
  let refused = 0;
  let lost = 0;
  proxy.setMeddler(({ path }) => {
    if (/callbacks\/.*\/start$/.test(path) && refused < 5) {
      refused++;
      return { answer: { status: 503, body: "{}" } };
    }
    if (!/callbacks\/.*\/end$/.test(path) || lost > 0) return null;
    lost++;
    return { lose: "request" };
  });
  const runId = await engine.trigger("d");
  expect(await engine.finished("d", runId)).toBe("success");
  const states = async () => (await engine.store.query("select state, attempts from callback_request")).rows;
  await expect.poll(states, { timeout: 15_000 }).toEqual([{ state: "success", attempts: 1 }]);
  expect([refused, lost]).toEqual([5, 1]);
  expect(existsSync(note) && readFileSync(note, "utf8")).toBe("ran\n");
});
