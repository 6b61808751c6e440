import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";

let engine: Engine;
let api: TestApi;
beforeAll(async () => {
  engine = await startEngine();
  api = await createTestApi(engine.store);
  await engine.load({
    "steered.ts": `
      import { chain, dag, task } from "baram";
      export default dag({ dagId: "steered", params: { fail: true, nap: 0 } }, () => {
        const first = task({ taskId: "first" }, async (ctx) => {
          await new Promise((resolve) => setTimeout(resolve, Number(ctx.params.nap) * 1_000));
          if (ctx.params.fail) throw new Error("asked to");
        });
        const second = task({ taskId: "second" }, async () => "done");
        chain(first(), second());
      });`,
  });
});
afterAll(() => engine.stop());

const runs = "/api/v2/dags/steered/dagRuns";
async function trigger(conf: object): Promise<string> {
  const { status, json } = await api.ask("POST", runs, { body: { conf } });
  expect(status).toBe(200);
  return json.dag_run_id;
}
async function running(runId: string, task: string): Promise<void> {
  for (let i = 0; i < 500 && (await engine.states("steered", runId))[task] !== "running"; i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a failed task that is set to success lets its run go on to the end", async () => {
  const runId = await trigger({ fail: true });
  expect(await engine.finished("steered", runId)).toBe("failed");
  const { status } = await api.ask("PATCH", `${runs}/${runId}/taskInstances/first`, { body: { new_state: "success" } });
  expect(status).toBe(200);
  expect(await engine.finished("steered", runId)).toBe("success");
  expect(await engine.states("steered", runId)).toEqual({ first: "success", second: "success" });
});

test("a task set to success while it runs lets the run end at once, and its own end changes nothing", async () => {
  const runId = await trigger({ fail: true, nap: 20 });
  await running(runId, "first");
  const start = Date.now();
  await api.ask("PATCH", `${runs}/${runId}/taskInstances/first`, { body: { new_state: "success" } });
  expect(await engine.finished("steered", runId)).toBe("success");
  expect(Date.now() - start).toBeLessThan(10_000);
  expect(await engine.states("steered", runId)).toEqual({ first: "success", second: "success" });
});

test("a run set to failed stays failed, and cleared it runs again", async () => {
  const runId = await trigger({ fail: false, nap: 20 });
  await running(runId, "first");
  const { json } = await api.ask("PATCH", `${runs}/${runId}`, { body: { state: "failed" } });
  expect(json.state).toBe("failed");
  expect(await engine.states("steered", runId)).toEqual({ first: "failed", second: "skipped" });
  await engine.store.query("update dag_run set conf = '{\"fail\": false}' where run_id = $1", [runId]);
  await api.ask("POST", `${runs}/${runId}/clear`, { body: { dry_run: false } });
  expect(await engine.finished("steered", runId)).toBe("success");
  const tries = (await api.get(`${runs}/${runId}/taskInstances/first/tries`)).json.task_instances;
  expect(tries.map((one: { try_number: number; state: string }) => [one.try_number, one.state])).toEqual([
    [1, "failed"],
    [2, "success"],
  ]);
});
