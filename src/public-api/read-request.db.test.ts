import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../tests/support/public-api.ts";
import { JSON_DEPTH_MAX } from "../contracts/index.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, { dagId: "d" });
});
afterAll(() => database.drop());

const RUNS = "/api/v2/dags/d/dagRuns";
/** So many objects within each other. */
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
const send = (path: string, raw: string, method = "POST") => api.ask(method, path, { raw });

test.each([
  ["a run's conf", RUNS, (value: string) => `{"conf":${value}}`],
  ["a variable", "/api/v2/variables", (value: string) => `{"key":"k","value":${value}}`],
  ["a field that no route has", "/api/v2/pools", (value: string) => `{"name":"p","slots":1,"x":${value}}`],
])("%s that is nested too deep is refused with the bound", async (_name, path, body) => {
  for (const levels of [JSON_DEPTH_MAX, 2_500, 100_000]) {
    const { status, json } = await send(path, body(nested(levels)));
    expect(status).toBe(400);
    expect(json.detail).toContain("nested deeper than 1000 levels");
  }
});

test("what is nested as deep as allowed is taken, and comes back", async () => {
  const conf = nested(JSON_DEPTH_MAX - 1);
  expect((await send(RUNS, `{"dag_run_id":"deep","conf":${conf}}`)).status).toBe(200);
  expect(JSON.stringify((await api.get(`${RUNS}/deep`)).json.conf)).toBe(conf);
});

test.each([
  ["/api/v2/variables", '{"key":"\\ud800","value":"x"}'],
  ["/api/v2/variables", '{"key":"half","value":"\\uDC00"}'],
  ["/api/v2/pools", '{"name":"\\ud800","slots":1}'],
  ["/api/v2/connections", '{"connection_id":"c","conn_type":"http","host":"\\udfff"}'],
  [RUNS, '{"note":"\\ud83d"}'],
  [RUNS, '{"conf":{"\\ud83d":1}}'],
])("%s refuses half of a surrogate pair, which it would store as another text: %s", async (path, raw) => {
  const { status, json } = await send(path, raw);
  expect(status).toBe(400);
  expect(json.detail).toContain("half of a surrogate pair");
});

test("a whole pair is taken, written as itself, as two escapes, or behind a backslash", async () => {
  for (const [at, value] of ['"😀"', '"\\ud83d\\ude00"', '"\\\\ud83d"'].entries()) {
    expect((await send("/api/v2/variables", `{"key":"pair${at}","value":${value}}`)).status).toBe(201);
    expect((await api.get(`/api/v2/variables/pair${at}`)).json.value).toBe(JSON.parse(value));
  }
});
