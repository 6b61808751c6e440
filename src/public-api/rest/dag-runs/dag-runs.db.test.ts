import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { dagRunListShape, dagRunShape } from "./shapes.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    params: { limit: { value: 3, schema: { type: "integer", maximum: 10 } } },
  });
});
afterAll(() => database.drop());

const trigger = (body: unknown, dagId = "d") => api.ask("POST", `/api/v2/dags/${dagId}/dagRuns`, { body, as: "user" });
const states = async (runId: string) =>
  Object.fromEntries(
    (
      await database.store.query<{ task: string; state: string | null }>(
        "select task_id as task, state from task_instance where run_id = $1",
        [runId],
      )
    ).rows.map((row) => [row.task, row.state]),
  );

test("a triggered run is queued with its task instances and says who asked", async () => {
  const body = { dag_run_id: "first", logical_date: "2024-01-31T01:00:00+01:00", conf: { limit: 5, more: [1] }, note: "hello" };
  const { status, json } = await trigger(body);
  expect(status).toBe(200);
  dagRunShape.parse(json);
  expect(json).toMatchObject({
    dag_run_id: "first",
    dag_id: "d",
    state: "queued",
    run_type: "manual",
    logical_date: "2024-01-31T00:00:00.000Z",
    conf: { limit: 5, more: [1] },
    note: "hello",
    triggered_by: "rest_api",
    triggering_user_name: "a-user",
    dag_versions: [{ version_number: 1 }],
  });
  expect(await states("first")).toEqual({ extract: null, load: null });
  const { json: log } = await api.get("/api/v2/eventLogs?event=trigger_dag_run");
  expect(log.event_logs[0]).toMatchObject({ owner: "a-user", dag_id: "d", run_id: "first" });
});

test("a second run with the same id or logical date is 409, and nothing is written", async () => {
  const before = (await api.get("/api/v2/dags/d/dagRuns")).json.total_entries;
  expect((await trigger({ dag_run_id: "first" })).status).toBe(409);
  const clash = await trigger({ logical_date: "2024-01-31T00:00:00Z" });
  expect(clash.status).toBe(409);
  expect(clash.json.detail).toContain("first");
  expect((await api.get("/api/v2/dags/d/dagRuns")).json.total_entries).toBe(before);
});

test("bad requests say what is wrong and where", async () => {
  expect((await trigger({}, "none")).status).toBe(404);
  const conf = await trigger({ conf: { limit: 11 } });
  expect(conf.status).toBe(400);
  expect(conf.json.detail).toContain('"limit"');
  expect((await api.ask("POST", "/api/v2/dags/d/dagRuns", { raw: "{not json" })).status).toBe(400);
  for (const [body, field] of [
    [{ dag_run_id: "../../etc" }, "dag_run_id"],
    [{ dag_run_id: 7 }, "dag_run_id"],
    [{ conf: "text" }, "conf"],
    [{ logical_date: "yesterday" }, "logical_date"],
    [{ logical_date: "2024-02-30T00:00:00Z" }, "logical_date"],
    [{ logical_date: "+275760-09-13T00:00:00Z" }, "logical_date"],
    [{ note: "x".repeat(1_001) }, "note"],
    [{ data_interval_start: "2024-01-01T00:00:00Z" }, "data_interval_end"],
    [{ run_after: 1e300 }, "run_after"],
  ] as const) {
    const answer = await trigger(body);
    expect(`${JSON.stringify(body).slice(0, 60)} ${answer.status}`).toBe(`${JSON.stringify(body).slice(0, 60)} 422`);
    expect(answer.json.detail[0].loc).toEqual(["body", field]);
  }
  expect((await trigger({ unknown: 1 })).status).toBe(422);
  expect((await trigger({ note: "a\u0000b" })).status).toBe(400);
});

test("a DAG whose file is gone cannot be triggered", async () => {
  await saveDagFixture(database.store, { dagId: "stale" });
  await database.store.query("update dag set is_stale = true where dag_id = 'stale'");
  expect((await trigger({}, "stale")).status).toBe(409);
});

test("runs are listed by filters and in the order asked for", async () => {
  const list = (query: string) => api.get(`/api/v2/dags/~/dagRuns?${query}`);
  const all = (await list("order_by=-run_after")).json;
  dagRunListShape.parse(all);
  const ids = async (query: string) =>
    ((await list(query)).json.dag_runs as { dag_run_id: string }[]).map((run) => run.dag_run_id);
  expect(await ids("logical_date_gte=2024-01-31T00:00:00Z")).toEqual(["first"]);
  // A client that does not escape the plus sign sends this.
  expect(await ids("logical_date_lte=2024-01-31T01:00:00+01:00")).toEqual(["first"]);
  expect(await ids("logical_date_gt=2024-01-31")).toEqual([]);
  expect(await ids("run_id_pattern=FIR_T")).toEqual(["first"]);
  expect(await ids("conf_contains=limit")).toEqual(["first"]);
  // It would find hidden values of a conf letter by letter.
  for (const search of ["conf_contains=limit", "order_by=conf", "order_by=-conf"])
    expect((await api.ask("GET", `/api/v2/dags/~/dagRuns?${search}`, { as: "user" })).status).toBe(403);
  expect(await ids("state=running&state=success")).toEqual([]);
  expect(await ids("run_type=scheduled")).toEqual([]);
  expect((await list("state=nope")).status).toBe(422);
  expect((await list("duration_gte=NaN")).status).toBe(422);
  expect((await list("start_date_gte=0000-00-00")).status).toBe(422);
});

test("one run is found, and others are 404", async () => {
  expect((await api.get("/api/v2/dags/d/dagRuns/first")).json.dag_run_id).toBe("first");
  expect((await api.get("/api/v2/dags/d/dagRuns/none")).json.detail).toContain('"none"');
  expect((await api.get("/api/v2/dags/none/dagRuns/first")).json.detail).toContain("There is no DAG");
});

test("a run set to failed stops what runs, skips the rest and tells the scheduler", async () => {
  await trigger({ dag_run_id: "fails" });
  await database.store.query("update dag_run set state = 'running' where run_id = 'fails'");
  await database.store.query(
    "update task_instance set state = 'running', start_date = now() where run_id = 'fails' and task_id = 'extract'",
  );
  const { status, json } = await api.ask("PATCH", "/api/v2/dags/d/dagRuns/fails", { body: { state: "failed", note: "by hand" } });
  expect(status).toBe(200);
  expect(json).toMatchObject({ state: "failed", note: "by hand" });
  expect(json.end_date).not.toBeNull();
  expect(await states("fails")).toEqual({ extract: "failed", load: "skipped" });
});

test("a run set to success makes all its tasks one, and set to queued it is looked at anew", async () => {
  const success = await api.ask("PATCH", "/api/v2/dags/d/dagRuns/fails", { body: { state: "success" } });
  expect(success.json.state).toBe("success");
  expect(await states("fails")).toEqual({ extract: "success", load: "success" });
  const queued = await api.ask("PATCH", "/api/v2/dags/d/dagRuns/fails", { body: { state: "queued" } });
  expect(queued.json).toMatchObject({ state: "queued", end_date: null });
  const { rows } = await database.store.query(
    "select 1 from task_event e join dag_run r on r.id = e.dag_run_id where r.run_id = 'fails' and e.task_id is null",
  );
  expect(rows.length).toBeGreaterThan(0);
  expect((await api.ask("PATCH", "/api/v2/dags/d/dagRuns/fails", { body: { state: "running" } })).status).toBe(422);
});

test("a run is deleted unless it runs", async () => {
  await database.store.query("update dag_run set state = 'running' where run_id = 'fails'");
  expect((await api.ask("DELETE", "/api/v2/dags/d/dagRuns/fails")).status).toBe(409);
  await database.store.query("update dag_run set state = 'success' where run_id = 'fails'");
  expect((await api.ask("DELETE", "/api/v2/dags/d/dagRuns/fails")).status).toBe(204);
  expect((await api.ask("DELETE", "/api/v2/dags/d/dagRuns/fails")).status).toBe(404);
  expect(await states("fails")).toEqual({});
});

test("a run id that [scheduler] allowed_run_id_pattern does not match is refused; one that Baram makes is not", async () => {
  const strict = await createTestApi(database.store, { options: { allowedRunId: /^(?:team_[a-z]+$)/ } });
  const ask = (body: object) => strict.ask("POST", "/api/v2/dags/d/dagRuns", { body, as: "user" });
  const refused = await ask({ dag_run_id: "other" });
  expect([refused.status, refused.json.detail]).toEqual([400, expect.stringContaining("allowed_run_id_pattern")]);
  expect((await ask({ dag_run_id: "team_one" })).status).toBe(200);
  expect((await ask({})).status).toBe(200);
});

test("logical_date is now when it is left out, and none when it is null; several runs may stand at one moment either way", async () => {
  await saveDagFixture(database.store, { dagId: "now" });
  const before = Date.now();
  const [undated, ...dated] = await Promise.all(
    [{ logical_date: null }, ...Array.from({ length: 20 }, () => ({}))].map((body) => trigger(body, "now")),
  );
  expect(undated?.status).toBe(200);
  expect(undated?.json.logical_date).toBeNull();
  const dates = dated.map(({ status, json }) => {
    expect(status).toBe(200);
    expect(json.dag_run_id).toMatch(/^manual__/);
    return new Date(json.logical_date).getTime();
  });
  expect(new Set(dates).size).toBe(20);
  // The logical dates come from the API's clock, but none is later than now or much earlier.
  expect(Math.min(...dates)).toBeGreaterThan(before - 2_000);
  expect(Math.max(...dates)).toBeLessThanOrEqual(Date.now());
});

test("dates without an offset are local time of the DAG's zone, in each form that Airflow takes, and are said back in full", async () => {
  await saveDagFixture(database.store, { dagId: "seoul", timezone: "Asia/Seoul" });
  for (const [given, said] of [
    ["2021-11-30 10:00:00+00:00", "2021-11-30T10:00:00.000Z"],
    ["2021-11-29", "2021-11-28T15:00:00.000Z"],
    ["2021-11-28 10:00:00", "2021-11-28T01:00:00.000Z"],
    ["2021-11-27T10:00:00+0100", "2021-11-27T09:00:00.000Z"],
  ]) {
    const { status, json } = await trigger({ logical_date: given }, "seoul");
    expect(`${given} ${status} ${json.logical_date}`).toBe(`${given} 200 ${said}`);
  }
  const waiting = await trigger({ run_after: "2040-01-01 09:00" }, "seoul");
  expect(waiting.json.run_after).toBe("2040-01-01T00:00:00.000Z");
  const { json } = await api.get(
    "/api/v2/dags/seoul/dagRuns?logical_date_gte=2021-11-30%2010:00:00+00:00&logical_date_lte=2021-12-01",
  );
  expect(json.total_entries).toBe(1);
  const interval = { data_interval_start: "2021-11-02", data_interval_end: "2021-11-01T23:00:00+09:00" };
  const backwards = await trigger({ logical_date: "2021-11-01", ...interval }, "seoul");
  expect(backwards.status).toBe(400);
  expect(backwards.json.detail).toContain("ends (2021-11-01T14:00:00.000Z) before it starts (2021-11-01T15:00:00.000Z)");
});

test("a run by hand takes no id that the schedule or a backfill will want", async () => {
  for (const id of ["scheduled__2026-01-01T00:00:00+00:00", "backfill__1", "asset_triggered__x"]) {
    const { status, json } = await trigger({ dag_run_id: id });
    expect(status).toBe(400);
    expect(json.detail).toContain("kept for runs that the platform creates");
  }
  expect((await trigger({ dag_run_id: "scheduled_by_me" })).status).toBe(200);
});

test.each([
  ["logical_date", "0001-01-01T00:00:00Z"],
  ["logical_date", "1899-12-31T23:59:59Z"],
  ["run_after", "0001-01-01T00:00:00Z"],
  ["data_interval_start", "0099-01-01T00:00:00Z"],
])("a run with %s %s is refused, with the years that there are", async (name, date) => {
  const interval = name.startsWith("data")
    ? { data_interval_end: "2024-01-01T00:00:00Z", logical_date: "2024-01-01T00:00:00Z" }
    : {};
  const { status, json } = await trigger({ dag_run_id: "old", ...interval, [name]: date });
  expect([status, JSON.stringify(json.detail)]).toEqual([422, expect.stringContaining("1900 to 9999")]);
});

test("runs of 1970 and of 2010 are as good as any", async () => {
  for (const date of ["1970-01-01T00:00:00.000Z", "2010-06-01T00:00:00.000Z"])
    expect((await trigger({ logical_date: date })).json).toMatchObject({ logical_date: date, data_interval_start: date });
});
