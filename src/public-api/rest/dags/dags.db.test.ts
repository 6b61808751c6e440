import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { dagDetailsShape, dagListShape } from "./shapes.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  const { store } = database;
  api = await createTestApi(store);
  await saveDagFixture(store, {
    dagId: "daily",
    displayName: "Daily report",
    tags: ["demo", "mall"],
    owners: ["data"],
    timetable: { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: false },
    scheduleSummary: "@daily",
    params: { limit: { value: 3, schema: { type: "integer" } } },
    dagrunTimeoutSec: 3_600,
    tasks: [
      { taskId: "a", maxActiveTisPerDag: 1, retryDelaySec: 90_061.5 },
      { taskId: "b", upstream: ["a"], displayName: "Bee" },
    ],
  });
  await saveDagFixture(store, { dagId: "manual_only", tags: ["demo"], owners: ["ops"] }, { isPaused: true });
  await saveDagFixture(store, { dagId: "gone" });
  await store.query("update dag set is_stale = true where dag_id = 'gone'");
});
afterAll(() => database.drop());

const ids = async (query: string) =>
  ((await api.get(`/api/v2/dags?${query}`)).json.dags as { dag_id: string }[]).map((dag) => dag.dag_id);

test("a DAG is listed in Airflow's shape", async () => {
  const { status, json } = await api.get("/api/v2/dags");
  expect(status).toBe(200);
  dagListShape.parse(json);
  expect(json.total_entries).toBe(2);
  expect(json.dags[0]).toMatchObject({
    dag_id: "daily",
    dag_display_name: "Daily report",
    is_paused: false,
    timetable_summary: "@daily",
    has_task_concurrency_limits: true,
    is_backfillable: true,
    tags: [
      { name: "demo", dag_id: "daily" },
      { name: "mall", dag_id: "daily" },
    ],
  });
});

test("filters choose, and stale DAGs are left out unless asked for", async () => {
  expect(await ids("exclude_stale=false&order_by=-dag_id")).toEqual(["manual_only", "gone", "daily"]);
  expect(await ids("paused=true")).toEqual(["manual_only"]);
  expect(await ids("tags=demo&tags=mall")).toEqual(["daily", "manual_only"]);
  expect(await ids("tags=demo&tags=mall&tags_match_mode=all")).toEqual(["daily"]);
  expect(await ids("owners=ops")).toEqual(["manual_only"]);
  expect(await ids("dag_id_pattern=manual%25")).toEqual(["manual_only"]);
  expect(await ids("dag_id_pattern=nope|dai_y")).toEqual(["daily"]);
  expect(await ids("dag_id_prefix_pattern=ma")).toEqual(["manual_only"]);
  expect(await ids("dag_display_name_pattern=report")).toEqual(["daily"]);
  expect(await ids("last_dag_run_state=failed")).toEqual([]);
  expect(await ids("limit=1&offset=1")).toEqual(["manual_only"]);
});

test("values that mean nothing are refused by name", async () => {
  expect((await api.get("/api/v2/dags?order_by=secret")).status).toBe(400);
  for (const [query, field] of [
    ["limit=-1", "limit"],
    ["offset=-1", "offset"],
    ["limit=ten", "limit"],
    ["paused=perhaps", "paused"],
    ["tags_match_mode=some", "tags_match_mode"],
  ]) {
    const answer = await api.get(`/api/v2/dags?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.json.detail[0].loc).toEqual(["query", field]);
  }
});

test("details add what the file says", async () => {
  const { status, json } = await api.get("/api/v2/dags/daily/details");
  expect(status).toBe(200);
  dagDetailsShape.parse(json);
  expect(json).toMatchObject({
    timetable_description: 'Cron "0 0 * * *" in UTC',
    dag_run_timeout: "PT3600S",
    params: { limit: { value: 3, schema: { type: "integer" } } },
    latest_dag_version: { version_number: 1, dag_id: "daily" },
    active_runs_count: 0,
  });
});

test("an unknown DAG is 404, and an id that cannot be one is 422", async () => {
  for (const path of ["", "/details", "/tasks", "/tasks/a", "/dagRuns", "/dagVersions"])
    expect(`${path} ${(await api.get(`/api/v2/dags/none${path}`)).status}`).toBe(`${path} 404`);
  expect((await api.get("/api/v2/dags/no%20such%20id")).status).toBe(422);
});

test("pausing is kept, leaves a line with the user, and needs a boolean", async () => {
  const answer = await api.ask("PATCH", "/api/v2/dags/daily?update_mask=is_paused", { body: { is_paused: true }, as: "user" });
  expect([answer.status, answer.json.is_paused]).toEqual([200, true]);
  const { json } = await api.get("/api/v2/eventLogs?event=patch_dag&order_by=-when");
  expect(json.event_logs[0]).toMatchObject({ dag_id: "daily", owner: "a-user", extra: '{"is_paused":true}' });
  await api.ask("PATCH", "/api/v2/dags/daily", { body: { is_paused: false } });
  expect((await api.get("/api/v2/dags/daily")).json.is_paused).toBe(false);
  const wrong = await api.ask("PATCH", "/api/v2/dags/daily", { body: { is_paused: "yes" } });
  expect([wrong.status, wrong.json.detail[0].loc]).toEqual([422, ["body", "is_paused"]]);
  expect((await api.ask("PATCH", "/api/v2/dags/daily?update_mask=owners", { body: { is_paused: true } })).status).toBe(400);
  expect((await api.ask("PATCH", "/api/v2/dags/none", { body: { is_paused: true } })).status).toBe(404);
});

test("many are paused by a pattern, and none without one", async () => {
  const nothing = await api.ask("PATCH", "/api/v2/dags", { body: { is_paused: true } });
  expect(nothing.json).toEqual({ dags: [], total_entries: 0 });
  const some = await api.ask("PATCH", "/api/v2/dags?dag_id_pattern=daily", { body: { is_paused: true } });
  expect(some.json.dags.map((dag: { is_paused: boolean }) => dag.is_paused)).toEqual([true]);
  await api.ask("PATCH", "/api/v2/dags?dag_id_pattern=~", { body: { is_paused: false } });
  expect(await ids("paused=true")).toEqual([]);
});

test.each([
  "dag_id_pattern=",
  "dag_id_pattern=%20",
  "dag_id_pattern=|",
  "dag_id_pattern=%20|%20|",
  "dag_id_prefix_pattern=",
  "dag_id_pattern=~&tags=",
  "dag_id_pattern=~&owners=x&owners=",
  "dag_id_pattern=daily&dag_id_prefix_pattern=",
  "dag_id_pattern=~&update_mask=",
])("an empty filter changes nothing and is named: %s", async (query) => {
  const { status, json } = await api.ask("PATCH", `/api/v2/dags?${query}`, { body: { is_paused: true } });
  const name = query.split(/[&?]/).at(-1)?.split("=")[0];
  expect([status, json.detail[0]]).toEqual([422, expect.objectContaining({ loc: ["query", name] })]);
  expect(await ids("paused=true")).toEqual([]);
});

test("tasks, tags, versions and the source are shown", async () => {
  const tasks = (await api.get("/api/v2/dags/daily/tasks")).json;
  expect(tasks.total_entries).toBe(2);
  expect(tasks.tasks[0]).toMatchObject({
    task_id: "a",
    downstream_task_ids: ["b"],
    retry_delay: { days: 1, seconds: 3_661, microseconds: 500_000 },
  });
  expect((await api.get("/api/v2/dags/daily/tasks/b")).json.task_display_name).toBe("Bee");
  expect((await api.get("/api/v2/dags/daily/tasks/c")).status).toBe(404);
  expect((await api.get("/api/v2/dagTags?tag_name_pattern=ma")).json.tags).toEqual(["mall"]);
  expect((await api.get("/api/v2/dags/daily/dagVersions/1")).json.version_number).toBe(1);
  expect((await api.get("/api/v2/dags/daily/dagVersions/2")).status).toBe(404);
  expect((await api.get("/api/v2/dags/~/dagVersions")).json.total_entries).toBe(3);
  expect((await api.get("/api/v2/dagSources/daily")).json.content).toContain('export default "daily"');
});

test("a deleted DAG is gone with its runs, but not while one of its tasks runs", async () => {
  await saveDagFixture(database.store, { dagId: "doomed" });
  await api.ask("POST", "/api/v2/dags/doomed/dagRuns", { body: { dag_run_id: "r" } });
  await database.store.query("update task_instance set state = 'running' where dag_id = 'doomed' and task_id = 'load'");
  expect((await api.ask("DELETE", "/api/v2/dags/doomed")).status).toBe(409);
  await database.store.query("update task_instance set state = null where dag_id = 'doomed'");
  expect((await api.ask("DELETE", "/api/v2/dags/doomed")).status).toBe(204);
  expect((await api.get("/api/v2/dags/doomed")).status).toBe(404);
  expect((await api.ask("DELETE", "/api/v2/dags/doomed")).status).toBe(404);
});

test("a page of a thousand DAGs needs no statement per DAG and comes at once", async () => {
  const { store } = database;
  await store.query(
    `insert into dag (dag_id, bundle_name, filename, is_paused, timetable_type, max_active_runs, max_active_tasks, schedule_hash, current_version_id)
     select 'many_' || n, 'dags', n || '.ts', false, 'null', 1, 1, 'h', (select current_version_id from dag where dag_id = 'daily')
       from generate_series(1, 1000) n`,
  );
  const before = store.statementCount();
  const start = performance.now();
  const { json } = await api.get("/api/v2/dags?limit=5000&dag_id_prefix_pattern=many_");
  expect(json.total_entries).toBe(1_000);
  // The limit is silently reduced to the maximum.
  expect(json.dags).toHaveLength(100);
  expect(store.statementCount() - before).toBeLessThanOrEqual(3);
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("a version that cannot be read is shown without its facts, and hides none of the others", async () => {
  const { store } = database;
  const spoil = async (dagId: string, data: string) => {
    const id = await saveDagFixture(store, { dagId, tags: ["spoiled"], scheduleSummary: "@hourly" });
    await store.query("update serialized_dag set data = $2 where dag_version_id = $1", [id, data]);
  };
  // As an older release kept it, and as no release does.
  await spoil("spoiled_text", '{"scheduleSummary":"@hourly","tasks":[{"taskId":"a","displayName":"\\ud800"}]}');
  await spoil("spoiled_nul", '{"scheduleSummary":"a\\u0000","tasks":[]}');
  await spoil("spoiled_tasks", '{"tasks":5}');
  await saveDagFixture(store, { dagId: "sound", tags: ["spoiled"], tasks: [{ taskId: "a", maxActiveTisPerDag: 1 }] });
  const fresh = await createTestApi(store);
  const { status, json } = await fresh.get("/api/v2/dags?tags=spoiled");
  expect(status).toBe(200);
  expect(
    json.dags.map((dag: { dag_id: string; has_task_concurrency_limits: boolean }) => [
      dag.dag_id,
      dag.has_task_concurrency_limits,
    ]),
  ).toEqual([
    ["sound", true],
    ["spoiled_nul", false],
    ["spoiled_tasks", false],
    ["spoiled_text", false],
  ]);
  for (const answer of [
    await fresh.get("/api/v2/dags/spoiled_tasks/tasks"),
    await fresh.ask("POST", "/api/v2/dags/spoiled_tasks/dagRuns", { body: { logical_date: null } }),
  ]) {
    expect(answer.status).toBe(409);
    expect(answer.json.detail).toContain("serialized DAG (without a dagId) is invalid");
  }
  await store.query("delete from dag where 'spoiled' = any(tags)");
});
