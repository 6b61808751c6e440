import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(async () => {
  await engine?.stop();
});

test("a DAG of three tasks passes data along and succeeds", async () => {
  await engine.load({
    "flow.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "flow", schedule: null }, () => {
  const one = task({ taskId: "one" }, async () => 20);
  const two = task({ taskId: "two" }, async (_ctx, n: number) => n + 1);
  const three = task({ taskId: "three" }, async (_ctx, n: number) => n * 2);
  three(two(one()));
});`,
  });
  const runId = await engine.trigger("flow");
  expect(await engine.finished("flow", runId)).toBe("success");
  expect(await engine.states("flow", runId)).toEqual({ one: "success", two: "success", three: "success" });
  const { rows } = await engine.store.query("select value from xcom where task_id = 'three'");
  expect(rows).toEqual([{ value: 42 }]);
});

test("a chain of forty and a fan-out of a thousand", async () => {
  await engine.load({
    "wide.ts": `
import { dag, task, chain } from "baram";
dag({ dagId: "chain40", schedule: null, maxActiveTasks: 64 }, () => {
  let last: any = null;
  for (let i = 0; i < 40; i++) {
    const t = task({ taskId: "t" + i }, async () => {});
    const x = t();
    if (last) last.before(x);
    last = x;
  }
});
dag({ dagId: "fan", schedule: null, maxActiveTasks: 1000 }, () => {
  const start = task({ taskId: "start" }, async () => {})();
  const end = task({ taskId: "end" }, async () => {})();
  for (let i = 0; i < 1000; i++) {
    const x = task({ taskId: "f" + i }, async () => {})();
    chain(start, x, end);
  }
});`,
  });
  for (const [id, n] of [
    ["chain40", 3],
    ["fan", 2],
  ] as const) {
    for (let i = 0; i < n; i++) {
      const before = engine.store.statementCount();
      const at = Date.now();
      const runId = await engine.trigger(id);
      expect(await engine.finished(id, runId, 60_000)).toBe("success");
      console.log(id, Date.now() - at, "ms");
      const { rows } = await engine.store.query(
        "select extract(epoch from max(end_date)-min(start_date)) as s, extract(epoch from min(start_date)-min(queued_dttm)) as q from task_instance where run_id=$1",
        [runId],
      );
      console.log(rows, engine.store.statementCount() - before);
    }
  }
}, 180_000);
