import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";

let database: TestDatabase;
let api: TestApi;
const base = "/api/v2/dags/d/dagRuns/r/taskInstances/extract/xcomEntries";
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, { dagId: "d" });
  await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { dag_run_id: "r" } });
  await database.store.query(
    `insert into xcom (dag_run_id, task_id, key, value) select id, 'extract', k, v::json from dag_run,
       (values ('return_value', '{"rows": 200, "deep": [1, null]}'), ('nothing', 'null'), ('odd/key %', '1')) as x(k, v)`,
  );
});
afterAll(() => database.drop());

test("entries are listed without their values", async () => {
  const { json } = await api.get(base);
  expect(json.total_entries).toBe(3);
  expect(json.xcom_entries[0]).toMatchObject({ key: "nothing", task_id: "extract", run_id: "r", dag_id: "d", map_index: -1 });
  expect(json.xcom_entries[0]).not.toHaveProperty("value");
  expect((await api.get(`${base}?xcom_key=return_value`)).json.total_entries).toBe(1);
  expect((await api.get("/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries?xcom_key_pattern=ret")).json.total_entries).toBe(1);
});

test("a value comes as JSON, or as a text of JSON", async () => {
  expect((await api.get(`${base}/return_value`)).json.value).toEqual({ rows: 200, deep: [1, null] });
  expect((await api.get(`${base}/return_value?stringify=true`)).json.value).toBe('{"rows":200,"deep":[1,null]}');
  expect((await api.get(`${base}/nothing`)).json).toHaveProperty("value", null);
  expect((await api.get(`${base}/${encodeURIComponent("odd/key %")}`)).json.value).toBe(1);
});

test("what is not there is 404", async () => {
  expect((await api.get(`${base}/none`)).json.detail).toContain('"none"');
  expect((await api.get("/api/v2/dags/d/dagRuns/r/taskInstances/none/xcomEntries")).status).toBe(404);
  expect((await api.get("/api/v2/dags/none/dagRuns/r/taskInstances/extract/xcomEntries/return_value")).status).toBe(404);
});
