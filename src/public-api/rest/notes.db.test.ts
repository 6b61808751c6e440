import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../tests/support/public-api.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, { dagId: "d" });
});
afterAll(() => database.drop());

const RUN = "/api/v2/dags/d/dagRuns/r";
const TASK = `${RUN}/taskInstances/extract`;
const noteOf = async (path: string) => (await api.get(path)).json.note;
const patch = (path: string, body: object) => api.ask("PATCH", path, { body, as: "user" });
const clear = (body: object) => api.ask("POST", "/api/v2/dags/d/clearTaskInstances", { body: { dag_run_id: "r", ...body } });

test("a note comes with the trigger, is changed by a patch, stays over clears without one and is taken by null", async () => {
  await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { dag_run_id: "r", note: "first" } });
  expect(await noteOf(RUN)).toBe("first");
  expect((await patch(RUN, { note: "second" })).json.note).toBe("second");
  expect((await patch(TASK, { note: "of the task" })).json.task_instances[0].note).toBe("of the task");
  expect(await noteOf(RUN)).toBe("second");
  expect((await patch(RUN, { state: "failed" })).json).toMatchObject({
    state: "failed",
    note: 'second\nRun marked failed by "a-user".',
  });
  await patch(RUN, { note: "second" });

  await clear({ dry_run: false, only_failed: false });
  await api.ask("POST", `${RUN}/clear`, { body: { dry_run: false } });
  expect(await noteOf(RUN)).toBe("second");
  expect(await noteOf(TASK)).toBe("of the task");
  expect(await noteOf(`${RUN}/taskInstances/load`)).toBeNull();

  expect((await patch(RUN, { note: null })).json.note).toBeNull();
  expect((await patch(TASK, { note: null })).json.task_instances[0].note).toBeNull();
});

test("a run that is marked says by whom in its note, once, where that has room; a note given with the mark stands as it is", async () => {
  await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { dag_run_id: "marked" } });
  const run = "/api/v2/dags/d/dagRuns/marked";
  for (let time = 0; time < 2; time++)
    expect((await patch(run, { state: "failed" })).json.note, `time ${time}`).toBe('Run marked failed by "a-user".');
  expect((await api.ask("PATCH", run, { body: { state: "success" }, as: "admin" })).json.note).toBe(
    'Run marked failed by "a-user".\nRun marked success by "a-admin".',
  );
  expect((await patch(run, { state: "failed", note: "bad input" })).json.note).toBe("bad input");
  const full = "x".repeat(1_000);
  await patch(run, { note: full });
  expect((await patch(run, { state: "success" })).json).toMatchObject({ state: "success", note: full });
});

test("a clear may say why: of task instances on those it clears, of a run on the run; a dry run notes nothing", async () => {
  await clear({ only_failed: false, note: "dry" });
  await api.ask("POST", `${RUN}/clear`, { body: { note: "dry" } });
  expect([await noteOf(RUN), await noteOf(TASK)]).toEqual([null, null]);
  const cleared = await clear({ dry_run: false, only_failed: false, task_ids: ["extract"], note: "bad input" });
  expect(cleared.json.task_instances).toMatchObject([{ task_id: "extract", note: "bad input" }]);
  expect((await api.ask("POST", `${RUN}/clear`, { body: { dry_run: false, note: "all of it" } })).json.note).toBe("all of it");
  expect([await noteOf(RUN), await noteOf(TASK), await noteOf(`${RUN}/taskInstances/load`)]).toEqual([
    "all of it",
    "bad input",
    null,
  ]);
});

test("a note of 1,000 characters is kept, a longer one refused everywhere in the same words", async () => {
  const long = "é".repeat(1_000);
  expect((await patch(RUN, { note: long })).json.note).toBe(long);
  expect((await patch(TASK, { note: long })).json.task_instances[0].note).toBe(long);
  const tooLong = `${long}é`;
  for (const answer of [
    await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { note: tooLong } }),
    await patch(RUN, { note: tooLong }),
    await patch(TASK, { note: tooLong }),
    await clear({ note: tooLong }),
    await api.ask("POST", `${RUN}/clear`, { body: { note: tooLong } }),
  ]) {
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toEqual([{ loc: ["body", "note"], msg: "a note has at most 1000 characters", type: "too_big" }]);
  }
});
