import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../../../tests/support/database.ts";
import { SUCCESS } from "../../../../tests/support/fake-executor.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, trigger } from "../../../../tests/support/scheduler-rig.ts";
import { instanceListShape, instanceShape } from "./shapes.ts";

let database: TestDatabase;
let api: TestApi;
let rig: Rig;
let runId = "";
beforeAll(async () => {
  database = await createSchedulerDatabase();
  api = await createTestApi(database.store);
  const source = { type: "xcom", taskId: "list" };
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "list" },
      { taskId: "each", upstream: ["list"], mapping: { kind: "expand", inputs: [{ name: "n", source }] } },
      { taskId: "sum", upstream: ["each"] },
    ],
  });
  rig = await createRig(database, {
    startsFirst: true,
    work: ({ ti }) => {
      if (ti.taskId === "each") return { ...SUCCESS, renderedMapIndex: `file ${ti.mapIndex}` };
      return ti.taskId === "list" ? { ...SUCCESS, xcoms: [{ key: "return_value", value: [7, 8, 9] }], mapLength: 3 } : SUCCESS;
    },
  });
  runId = await trigger(database.store, "d");
  await rig.drain();
});
afterAll(() => database.drop());

const base = () => `/api/v2/dags/d/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
const indexes = (json: { task_instances: { task_id: string; map_index: number }[] }) =>
  json.task_instances.map((ti) => [ti.task_id, ti.map_index]);

test("tasks say whether they are mapped", async () => {
  const { json } = await api.get("/api/v2/dags/d/tasks");
  expect(json.tasks.map((task: { task_id: string; is_mapped: boolean }) => [task.task_id, task.is_mapped])).toEqual([
    ["each", true],
    ["list", false],
    ["sum", false],
  ]);
});

test("the instances of a mapped task are listed with their names, filtered and ordered", async () => {
  const { status, json } = await api.get(`${base()}/each/listMapped?order_by=-map_index`);
  expect(status).toBe(200);
  instanceListShape.parse(json);
  expect(json.total_entries).toBe(3);
  expect(json.task_instances.map((ti: { rendered_map_index: string }) => ti.rendered_map_index)).toEqual([
    "file 2",
    "file 1",
    "file 0",
  ]);
  expect(indexes((await api.get(`${base()}/each/listMapped?map_index=1`)).json)).toEqual([["each", 1]]);
  expect(indexes((await api.get(`${base()}/each/listMapped?rendered_map_index_pattern=file%202`)).json)).toEqual([["each", 2]]);
  expect((await api.get(`${base()}/sum/listMapped`)).status).toBe(404);
  expect((await api.get(`${base()}/nobody/listMapped`)).status).toBe(404);
});

test("one instance is read by its map index, and without one the answer says that the task is mapped", async () => {
  const { json } = await api.get(`${base()}/each/1`);
  instanceShape.parse(json);
  expect(json).toMatchObject({ task_id: "each", map_index: 1, rendered_map_index: "file 1", state: "success" });
  expect((await api.get(`${base()}/each/1/tries`)).json.total_entries).toBe(1);
  const whole = await api.get(`${base()}/each`);
  expect(whole.status).toBe(404);
  expect(whole.text).toContain("is mapped");
  expect((await api.get(`${base()}/each/7`)).status).toBe(404);
});

test("a clear takes pairs of task and map index; it and a mark concern these instances alone", async () => {
  const clear = (body: object) =>
    api.ask("POST", "/api/v2/dags/d/clearTaskInstances", { body: { dag_run_id: runId, only_failed: false, ...body } });
  expect(indexes((await clear({ task_ids: [["each", 2]] })).json)).toEqual([["each", 2]]);
  expect(indexes((await clear({ task_ids: [["each", 0], "sum"] })).json)).toEqual([
    ["each", 0],
    ["sum", -1],
  ]);
  expect(indexes((await clear({ task_ids: [["each", 0]], include_downstream: true })).json)).toEqual([
    ["each", 0],
    ["sum", -1],
  ]);
  expect(indexes((await clear({ task_ids: ["each"] })).json)).toHaveLength(3);
  const patch = (path: string) => api.ask("PATCH", `${base()}/${path}`, { body: { new_state: "failed" } });
  expect(indexes((await patch("each/1/dry_run")).json)).toEqual([["each", 1]]);
  expect(indexes((await patch("each/dry_run")).json), "without an index: all").toHaveLength(3);
  expect(indexes((await patch("each/1")).json)).toEqual([["each", 1]]);
  await clear({ task_ids: [["each", 1]], dry_run: false, note: "again" });
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("success");
  expect((await api.get(`${base()}/each/1`)).json).toMatchObject({ try_number: 2, note: "again" });
  expect((await api.get(`${base()}/each/0`)).json).toMatchObject({ try_number: 1, note: null });
});
