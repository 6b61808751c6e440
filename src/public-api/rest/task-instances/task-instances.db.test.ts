import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { deferTasks } from "../../../../tests/support/deferred-run.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { claimTriggers, setPool, startJob } from "../../../store/index.ts";
import { instanceListShape, instanceShape, tryListShape } from "./shapes.ts";

let database: TestDatabase;
let api: TestApi;
let run = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    taskGroups: [{ groupId: "g", parentGroupId: null, label: "g" }],
    tasks: [
      { taskId: "a", displayName: "Aye", executorConfig: { cpu: 2 } },
      { taskId: "b", upstream: ["a"], taskGroupId: "g" },
      { taskId: "c", upstream: ["b"] },
    ],
  });
});
afterAll(() => database.drop());

const sql = (text: string, values: unknown[] = []) => database.store.query(text, values);
const base = () => `/api/v2/dags/d/dagRuns/r${run}/taskInstances`;
/** Each test has a failed run: a succeeded on its first try, b failed, c is upstream_failed. */
beforeEach(async () => {
  run++;
  const logical_date = new Date(Date.UTC(2024, 0, run)).toISOString();
  await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { dag_run_id: `r${run}`, logical_date } });
  await sql("update task_instance set try_number = 1, start_date = now(), end_date = now() where run_id = $1", [`r${run}`]);
  for (const [task, state] of [
    ["a", "success"],
    ["b", "failed"],
    ["c", "upstream_failed"],
  ])
    await sql("update task_instance set state = $3 where run_id = $1 and task_id = $2", [`r${run}`, task, state]);
  await sql("update dag_run set state = 'failed', end_date = now() where run_id = $1", [`r${run}`]);
});

const states = async (of = run) =>
  Object.fromEntries(
    (await sql("select task_id, state from task_instance where run_id = $1", [`r${of}`])).rows.map((row) => [
      row.task_id,
      row.state,
    ]),
  );
const clear = (body: object) => api.ask("POST", "/api/v2/dags/d/clearTaskInstances", { body, as: "user" });
const named = (json: { task_instances: { task_id: string }[] }) => json.task_instances.map((ti) => ti.task_id);

test("task instances are listed in Airflow's shape, filtered and ordered", async () => {
  const { status, json } = await api.get(base());
  expect(status).toBe(200);
  instanceListShape.parse(json);
  expect(json).toMatchObject({ total_entries: 3 });
  expect(json.task_instances[0]).toMatchObject({
    task_id: "a",
    task_display_name: "Aye",
    executor_config: '{"cpu":2}',
    dag_run_id: `r${run}`,
    state: "success",
    map_index: -1,
    rendered_fields: {},
    executor: "LocalExecutor",
  });
  const names = async (query: string) => named((await api.get(`${base()}?${query}`)).json);
  expect(await names("state=failed&state=upstream_failed")).toEqual(["b", "c"]);
  expect(await names("order_by=-task_id&limit=2")).toEqual(["c", "b"]);
  expect(await names("task_group_id=g")).toEqual(["b"]);
  expect(await names("task_id=a&try_number=1&pool=default_pool&operator_name_pattern=tas")).toEqual(["a"]);
  expect(await names("state=none")).toEqual([]);
  expect(named((await api.get("/api/v2/dags/~/dagRuns/~/taskInstances?task_id=a")).json)).toHaveLength(run);
  expect((await api.get("/api/v2/dags/~/dagRuns/~/taskInstances?task_group_id=g")).status).toBe(400);
});

test("rendered fields come along, and a page costs the same statements however long it is", async () => {
  await sql(
    `insert into rendered_task_instance_fields (dag_run_id, task_id, fields) select id, 'a', '{"bashCommand":"echo 1"}' from dag_run where run_id = $1`,
    [`r${run}`],
  );
  const before = database.store.statementCount();
  const { json } = await api.get("/api/v2/dags/~/dagRuns/~/taskInstances?limit=100");
  expect(database.store.statementCount() - before).toBeLessThanOrEqual(4);
  expect(json.task_instances.length).toBeGreaterThan(3);
  const one = (await api.get(`${base()}/a`)).json;
  instanceShape.parse(one);
  expect(one.rendered_fields).toEqual({ bashCommand: "echo 1" });
});

test("what is not there is 404 by its own name", async () => {
  for (const [path, word] of [
    [`${base()}/none`, "task instance"],
    [`${base()}/a?map_index=3`, "map index 3"],
    [`${base()}/a/tries/9`, "no try 9"],
    ["/api/v2/dags/d/dagRuns/none/taskInstances", "no run"],
    ["/api/v2/dags/none/dagRuns/~/taskInstances", "no DAG"],
  ] as const) {
    const answer = await api.get(path);
    expect(answer.status).toBe(404);
    expect(answer.json.detail).toContain(word);
  }
  expect((await api.get(`${base()}/a?map_index=99999999999999999`)).status).toBe(422);
});

test("tries are the history and the current one, oldest first, none twice", async () => {
  await sql("update task_instance set external_executor_id = 'arn:1' where run_id = $1 and task_id = 'b'", [`r${run}`]);
  expect((await api.get(`${base()}/b`)).json.external_executor_id).toBe("arn:1");
  await clear({ dry_run: false, dag_run_id: `r${run}`, task_ids: ["b"], only_failed: false });
  expect((await api.get(`${base()}/b`)).json.external_executor_id).toBeNull();
  let tries = (await api.get(`${base()}/b/tries`)).json;
  tryListShape.parse(tries);
  expect(tries.task_instances.map((one: { try_number: number; state: string }) => [one.try_number, one.state])).toEqual([
    [1, "failed"],
  ]);
  await sql("update task_instance set try_number = 2, state = 'running' where run_id = $1 and task_id = 'b'", [`r${run}`]);
  tries = (await api.get(`${base()}/b/tries`)).json;
  expect(tries.task_instances.map((one: { try_number: number; state: string }) => [one.try_number, one.state])).toEqual([
    [1, "failed"],
    [2, "running"],
  ]);
  expect((await api.get(`${base()}/b/tries/1`)).json).toMatchObject({ state: "failed", external_executor_id: "arn:1" });
  expect((await api.get(`${base()}/b/-1/tries/2`)).json.state).toBe("running");
});

test("clearing is a dry run unless said otherwise", async () => {
  const { status, json } = await clear({ dag_run_id: `r${run}` });
  expect(status).toBe(200);
  expect(named(json)).toEqual(["b", "c"]);
  expect(await states()).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
});

test("cleared tasks have no state, and their run is queued again", async () => {
  const { json } = await clear({ dry_run: false, dag_run_id: `r${run}`, note: "again" });
  expect(named(json)).toEqual(["b", "c"]);
  expect(json.task_instances[0]).toMatchObject({ state: null, note: "again" });
  expect(await states()).toEqual({ a: "success", b: null, c: null });
  expect((await api.get(`/api/v2/dags/d/dagRuns/r${run}`)).json.state).toBe("queued");
});

test("neighbours and other runs are cleared where asked for", async () => {
  expect(named((await clear({ dag_run_id: `r${run}`, task_ids: ["b"], only_failed: false })).json)).toEqual(["b"]);
  const both = { include_upstream: true, include_downstream: true };
  expect(named((await clear({ dag_run_id: `r${run}`, task_ids: ["b"], only_failed: false, ...both })).json)).toEqual([
    "a",
    "b",
    "c",
  ]);
  const past = await clear({ dag_run_id: `r${run}`, task_ids: ["a"], only_failed: false, include_past: true });
  expect(past.json.total_entries).toBe(run);
  const day = new Date(Date.UTC(2024, 0, run)).toISOString();
  expect((await clear({ start_date: day, end_date: day, only_failed: false })).json.total_entries).toBe(3);
});

test("contradictions and what runs are refused", async () => {
  const faults = async (body: object) => (await clear(body)).status;
  expect(await faults({ only_failed: true, only_running: true })).toBe(422);
  expect(await faults({ task_ids: [] })).toBe(422);
  expect(await faults({ start_date: "2024-02-01T00:00:00Z", end_date: "2024-01-01T00:00:00Z" })).toBe(422);
  expect(await faults({ include_past: true })).toBe(400);
  expect(await faults({ dag_run_id: "none" })).toBe(404);
  await sql("update task_instance set state = 'running' where run_id = $1 and task_id = 'c'", [`r${run}`]);
  const body = { dag_run_id: `r${run}`, only_failed: false, prevent_running_task: true, dry_run: false };
  expect(await faults(body)).toBe(409);
  expect((await states()).a).toBe("success");
});

test("a whole run is cleared", async () => {
  const path = `/api/v2/dags/d/dagRuns/r${run}/clear`;
  expect(named((await api.ask("POST", path, { body: { only_failed: true } })).json)).toEqual(["b", "c"]);
  const { json } = await api.ask("POST", path, { body: { dry_run: false } });
  expect(json).toMatchObject({ dag_run_id: `r${run}`, state: "queued" });
  expect(await states()).toEqual({ a: null, b: null, c: null });
});

test("a task set to success lets what waited for it run again", async () => {
  const { status, json } = await api.ask("PATCH", `${base()}/b`, { body: { new_state: "success", note: "checked" } });
  expect(status).toBe(200);
  expect(json.task_instances[0]).toMatchObject({ task_id: "b", state: "success", note: "checked" });
  expect(await states()).toEqual({ a: "success", b: "success", c: null });
  expect((await api.get(`/api/v2/dags/d/dagRuns/r${run}`)).json.state).toBe("queued");
});

test("a dry run names the same instances and changes nothing", async () => {
  const body = { new_state: "skipped", include_downstream: true };
  const before = (await api.get("/api/v2/eventLogs?event=patch_task_instance")).json.total_entries;
  const dry = await api.ask("PATCH", `${base()}/b/dry_run`, { body });
  expect(named(dry.json)).toEqual(["b", "c"]);
  expect(await states()).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
  expect((await api.get("/api/v2/eventLogs?event=patch_task_instance")).json.total_entries).toBe(before);
  const real = await api.ask("PATCH", `${base()}/b`, { body });
  expect(named(real.json)).toEqual(["b", "c"]);
  expect(await states()).toEqual({ a: "success", b: "skipped", c: "skipped" });
});

test("a note alone changes no state; nothing at all is 400; other states are 422", async () => {
  const noted = await api.ask("PATCH", `${base()}/a/-1`, { body: { note: "looked at" } });
  expect(noted.json.task_instances[0]).toMatchObject({ task_id: "a", note: "looked at", state: "success" });
  expect((await api.ask("PATCH", `${base()}/a`, { body: {} })).status).toBe(400);
  expect((await api.ask("PATCH", `${base()}/a`, { body: { new_state: "running" } })).status).toBe(422);
});

test("a clear takes a map index where one is named, and the whole task where it is named whole", async () => {
  await sql(
    `insert into task_instance select (jsonb_populate_record(t, '{"map_index": 4}'::jsonb || jsonb_build_object('id', gen_random_uuid()))).*
       from task_instance t where run_id = $1 and task_id = 'b'`,
    [`r${run}`],
  );
  const picked = async (task_ids: unknown[]) =>
    (await clear({ dag_run_id: `r${run}`, task_ids, only_failed: false })).json.task_instances.map(
      (ti: { task_id: string; map_index: number }) => [ti.task_id, ti.map_index],
    );
  expect(await picked([["b", 4]])).toEqual([["b", 4]]);
  expect(await picked([["b", 4], "a"])).toEqual(
    expect.arrayContaining([
      ["a", -1],
      ["b", 4],
    ]),
  );
  expect(await picked([["b", 4], "b"])).toHaveLength(2);
  expect(await picked([["b", 9]])).toEqual([]);
  await sql("delete from task_instance where run_id = $1 and map_index = 4", [`r${run}`]);
});

test("a clear onto the latest version pins the run to it: settings follow, what is new is made, what is gone is removed", async () => {
  const versionId = await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "a" }, { taskId: "b", upstream: ["a"], retries: 3, pool: "other" }, { taskId: "fresh", upstream: ["b"] }],
  });
  await sql("update task_instance set state = null where run_id = $1 and task_id = 'c'", [`r${run}`]);
  const cleared = await clear({
    dry_run: false,
    dag_run_id: `r${run}`,
    task_ids: ["b"],
    only_failed: false,
    run_on_latest_version: true,
  });
  expect(named(cleared.json)).toEqual(["b"]);
  expect(await states()).toEqual({ a: "success", b: null, c: "removed", fresh: null });
  const { rows } = await sql(
    `select ti.task_id as task, ti.dag_version_id = $2 as moved, r.created_dag_version_id = $2 as pinned, ti.max_tries as tries, ti.pool
       from task_instance ti join dag_run r on r.id = ti.dag_run_id where ti.run_id = $1 order by ti.task_id`,
    [`r${run}`, versionId],
  );
  expect(rows).toEqual([
    { task: "a", moved: false, pinned: true, tries: 0, pool: "default_pool" },
    { task: "b", moved: true, pinned: true, tries: 4, pool: "other" },
    { task: "c", moved: false, pinned: true, tries: 0, pool: "default_pool" },
    { task: "fresh", moved: true, pinned: true, tries: 0, pool: "default_pool" },
  ]);
});

test("a deferred instance shows its trigger and who runs it, without what the trigger was given", async () => {
  const deferred = await deferTasks(database.store, "waits", [{ kwargs: { password: "hidden" } }]);
  const ask = async () => (await api.ask("GET", `/api/v2/dags/waits/dagRuns/${deferred}/taskInstances/t0`)).json;
  const free = instanceShape.parse(await ask());
  expect(free).toMatchObject({
    state: "deferred",
    trigger: { classpath: "baram.triggers.DateTimeTrigger", kwargs: "***", triggerer_id: null },
  });
  expect(free.triggerer_job).toBeNull();
  const jobId = await startJob(database.store, { type: "TriggererJob", hostname: "host", pid: 1 });
  await claimTriggers(database.store, { jobId, capacity: 10, limit: 10, fairnessSec: 0 });
  const taken = instanceShape.parse(await ask());
  expect(taken).toMatchObject({
    trigger: { triggerer_id: jobId },
    triggerer_job: { id: jobId, job_type: "TriggererJob", hostname: "host" },
  });
  expect(JSON.stringify(taken)).not.toContain("hidden");
  await setPool(database.store, { pool: "own", slots: 5, description: null, includeDeferred: true });
  await sql("update task_instance set pool = 'own' where run_id = $1", [deferred]);
  const pool = { deferred_slots: 1, occupied_slots: 1, open_slots: 4 };
  expect((await api.ask("GET", "/api/v2/pools/own")).json).toMatchObject(pool);
});

test("a clear that names a task which no run has is refused, and clears nothing", async () => {
  const refused = await clear({ dag_run_id: `r${run}`, dry_run: false, task_ids: ["b", "bb"] });
  expect(refused).toMatchObject({
    status: 404,
    json: { detail: expect.stringContaining('has a task "bb". Nothing was cleared.') },
  });
  expect(await states()).toMatchObject({ a: "success", b: "failed" });
  // A task that exists and has nothing to clear is no mistake.
  expect(await clear({ dag_run_id: `r${run}`, dry_run: false, task_ids: ["a"] })).toMatchObject({
    status: 200,
    json: { total_entries: 0 },
  });
});

test("a key that a body does not have is told with those that it has", async () => {
  const { status, json } = await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { execution_date: "2024-01-01" } });
  expect(status).toBe(422);
  expect(json.detail[0].msg).toMatch(/"execution_date"; the keys are .*logical_date/);
});
