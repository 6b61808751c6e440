import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ environment: { BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "5" } });
  await engine.startTriggerer();
});
afterAll(() => engine?.stop());

test("with nothing to do, scheduler, triggerer and DAG processor stay within their SQL statements", {
  timeout: 60_000,
}, async () => {
  const dag = (id: string) => `import { dag, task } from "baram";
export default dag({ dagId: "${id}", schedule: null }, () => { task({ taskId: "t" }, () => 1)(); });`;
  await engine.load({ "a.ts": dag("a"), "b.ts": dag("b") });
  expect(await engine.finished("a", await engine.trigger("a"))).toBe("success");
  // After the statements of the checks at the start.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const query = vi.spyOn(pg.Client.prototype, "query");
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const sent = query.mock.calls.length;
  query.mockRestore();
  // There are heartbeats, so the count works.
  expect(sent).toBeGreaterThan(8);
  // Normally 88: a pass every 5 s, heartbeats, and the checks of half a minute.
  expect(sent).toBeLessThanOrEqual(110);
});
