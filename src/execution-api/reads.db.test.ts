import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry } from "../../tests/support/execution-api.ts";
import { addConnection } from "../store/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
let one: TestTry;
const dates = ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"];
const runs: TestTry[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tags: ["z", "a"],
    owners: ["ann", "bob"],
    params: { limit: { value: 1, schema: { type: "integer" } } },
    taskGroups: [
      { groupId: "g", parentGroupId: null, label: "g" },
      { groupId: "g.in", parentGroupId: "g", label: "in" },
    ],
    tasks: [{ taskId: "a" }, { taskId: "b", taskGroupId: "g" }, { taskId: "c", taskGroupId: "g.in" }],
  });
  for (const date of dates) runs.push(await api.running("d", "a", { logicalDate: new Date(date) }));
  one = runs[2] as TestTry;
  await api.report(runs[0] as TestTry, { state: "success" });
  await database.store.query("update dag_run set state = 'success', end_date = now() where run_id = $1", [runs[0]?.runId]);
});
afterAll(() => database.drop());

const get = (path: string) => api.ask("GET", path, { token: one.token });
const json = async (path: string) => (await get(path)).json;
const send = (method: string, path: string, body?: unknown) => api.ask(method, path, { token: one.token, body });

test("task instances are counted by run, date, task, group, map index and state", async () => {
  const count = (query: string) => json(`/task-instances/count?dag_id=d${query}`);
  expect(await count("")).toBe(9);
  expect(await count("&task_ids=a")).toBe(3);
  expect(await count("&task_group_id=g")).toBe(6);
  expect(await count("&task_group_id=g.in&task_ids=a")).toBe(6);
  expect(await count("&map_index=0")).toBe(0);
  expect(await count(`&logical_dates=${dates[0]}&logical_dates=${dates[1]}`)).toBe(6);
  expect(await count("&run_ids=r1&states=success&states=null")).toBe(3);
  expect(await count("&states=running")).toBe(2);
  expect((await get("/task-instances/count?dag_id=d&task_group_id=none")).status).toBe(404);
  expect((await get("/task-instances/count")).json.detail.message).toContain("query.dag_id");
  expect((await get("/task-instances/count?dag_id=d&logical_dates=soon")).json.detail.message).toContain("query.logical_dates.0");
});

test("task instances' states come by run and task", async () => {
  expect(await json("/task-instances/states?dag_id=d&run_ids=r1&run_ids=r2&task_ids=a&task_ids=b")).toEqual({
    task_states: { r1: { a: "success", b: null }, r2: { a: "running", b: null } },
  });
  await database.store.query(
    `insert into task_instance select (jsonb_populate_record(ti, jsonb_build_object('id', gen_random_uuid(), 'map_index', 4))).*
       from task_instance ti where run_id = 'r3' and task_id = 'c'`,
  );
  expect(await json("/task-instances/states?dag_id=d&run_ids=r3&task_ids=c")).toEqual({
    task_states: { r3: { c: null, c_4: null } },
  });
  await database.store.query("delete from task_instance where map_index = 4");
});

test("runs are read, counted and found before a date", async () => {
  expect(await json("/dag-runs/d/r1")).toMatchObject({
    dag_id: "d",
    run_id: "r1",
    state: "success",
    conf: {},
    partition_key: null,
  });
  expect(await json("/dag-runs/d/r1/state")).toEqual({ state: "success" });
  expect((await get("/dag-runs/d/none")).json.detail.reason).toBe("not_found");
  expect((await get("/dag-runs/d/none/state")).status).toBe(404);
  expect(await json("/dag-runs/count?dag_id=d&states=running&states=queued")).toBe(2);
  expect(await json(`/dag-runs/count?dag_id=d&run_ids=r1&run_ids=r2&logical_dates=${dates[1]}`)).toBe(1);
  expect((await get("/dag-runs/count?dag_id=d&states=odd")).status).toBe(422);
  expect(await json(`/dag-runs/previous?dag_id=d&logical_date=${dates[2]}`)).toMatchObject({ run_id: "r2" });
  expect(await json(`/dag-runs/d/previous?logical_date=${dates[2]}&state=success`)).toMatchObject({ run_id: "r1" });
  const none = await get(`/dag-runs/previous?dag_id=d&logical_date=${dates[0]}`);
  expect([none.status, none.json]).toEqual([200, null]);
});

test("a task that triggers a run is told that the DAG is paused", async () => {
  const call = async (runId: string) => {
    const params = { dagId: "d", runId, logicalDate: null, conf: {}, resetDagRun: false, note: null };
    return (await send("POST", "/baram/call", { method: "triggerDagRun", params })).json;
  };
  expect(JSON.stringify(await call("p1"))).not.toContain("isPaused");
  await database.store.query("update dag set is_paused = true where dag_id = 'd'");
  expect(JSON.stringify(await call("p2"))).toContain('"isPaused":true');
  expect(JSON.stringify(await call("p2"))).toContain('"isPaused":true');
  await database.store.query("update dag set is_paused = false where dag_id = 'd'");
});

test("a run is triggered once, and cleared when that is asked for", async () => {
  const body = { conf: { limit: 5 }, logical_date: "2024-02-01T00:00:00Z", run_after: "2024-02-02T00:00:00Z", note: "n" };
  expect((await send("POST", "/dag-runs/d/mine", body)).status).toBe(204);
  expect(await json("/dag-runs/d/mine")).toMatchObject({
    state: "queued",
    conf: { limit: 5 },
    logical_date: "2024-02-01T00:00:00.000Z",
    run_after: "2024-02-02T00:00:00.000Z",
    note: "n",
    clear_number: 0,
  });
  const again = await send("POST", "/dag-runs/d/mine", {});
  expect([again.status, again.json.detail.reason]).toEqual([409, "already_exists"]);
  expect((await send("POST", "/dag-runs/d/mine", { reset_dag_run: true })).status).toBe(204);
  expect((await json("/dag-runs/d/mine")).clear_number).toBe(1);
  expect((await send("POST", "/dag-runs/d/mine/clear")).status).toBe(204);
  expect((await json("/dag-runs/d/mine")).clear_number).toBe(2);
  expect((await send("POST", "/dag-runs/d/none/clear")).status).toBe(404);
  expect((await send("POST", "/dag-runs/none/x", {})).status).toBe(404);
  expect((await send("POST", "/dag-runs/d/y", { conf: { limit: "many" } })).status).toBe(400);
  expect((await send("POST", "/dag-runs/d/y", { conf: 1 })).json.detail.message).toContain("body.conf");
  expect((await send("POST", "/dag-runs/d/y", { partition_key: "p" })).json.detail.message).toContain("body.partition_key");
  expect((await send("POST", "/dag-runs/d/a%20b", {})).json.detail.message).toContain("path.run");
});

test("a DAG is shown", async () => {
  expect(await json("/dags/d")).toEqual({
    dag_id: "d",
    is_paused: false,
    bundle_name: "dags",
    bundle_version: null,
    relative_fileloc: "d.ts",
    owners: "ann, bob",
    tags: ["a", "z"],
    next_dagrun: null,
  });
  expect((await get("/dags/none")).status).toBe(404);
});

test("a connection's extra is a text of JSON", async () => {
  const connection = {
    connId: "db",
    connType: "postgres",
    description: null,
    host: "h",
    schema: "s",
    login: "l",
    password: "p",
    port: 5432,
    extra: { ssl: true },
  };
  await addConnection(database.store, api.resources.cipher, connection);
  await addConnection(database.store, api.resources.cipher, { ...connection, connId: "bare", extra: {} });
  expect(await json("/connections/db")).toEqual({
    conn_id: "db",
    conn_type: "postgres",
    host: "h",
    schema: "s",
    login: "l",
    password: "p",
    port: 5432,
    extra: '{"ssl":true}',
  });
  expect((await json("/connections/bare")).extra).toBe(null);
  expect((await get("/connections/none")).json.detail.reason).toBe("not_found");
});

test("variables are set, read and deleted, whatever their keys hold", async () => {
  for (const key of ["plain", "a/b", "with%20space", "previous"]) {
    expect((await send("PUT", `/variables/${key}`, { val: "v", description: "d" })).status).toBe(201);
    expect(await json(`/variables/${key}`)).toEqual({ key: decodeURIComponent(key), value: "v" });
    expect((await send("DELETE", `/variables/${key}`)).status).toBe(204);
    expect((await get(`/variables/${key}`)).status).toBe(404);
  }
  expect((await send("PUT", "/variables/k", {})).json.detail.message).toContain("body.val");
  expect((await send("PUT", "/variables/k", { val: null })).status).toBe(422);
  expect((await get("/variables/a%00b")).status).toBe(422);
});

const own = (key: string) => api.xcomPath(one, key);

test("a task writes, reads and deletes its own XComs", async () => {
  expect((await send("POST", `${own("k")}?map_index=-1`, { rows: [1, null] })).status).toBe(201);
  expect(await json(own("k"))).toEqual({ key: "k", value: { rows: [1, null] } });
  expect((await send("POST", own("k"), null)).status).toBe(201);
  expect(await json(own("k"))).toEqual({ key: "k", value: null });
  expect((await send("DELETE", own("k"))).status).toBe(200);
  expect((await send("DELETE", own("k"))).status).toBe(200);
  expect((await get(own("k"))).json.detail.reason).toBe("not_found");
  const large = await send("POST", own("k"), "x".repeat(1_001));
  expect([large.status, large.json.detail.reason]).toEqual([413, "xcom_too_large"]);
  expect((await api.ask("POST", own("k"), { token: one.token, raw: "{" })).status).toBe(400);
  expect((await send("POST", `${own("k")}?map_index=x`, 1)).json.detail.message).toContain("query.map_index");
});

test("a task writes no XCom of another task, run, DAG or map index", async () => {
  const others = ["/xcoms/d/r3/b/k", "/xcoms/d/r1/a/k", "/xcoms/other/r3/a/k", `${own("k")}?map_index=0`];
  for (const path of others)
    for (const method of ["POST", "DELETE"]) {
      const { status, json } = await send(method, path, 1);
      expect(`${method} ${path} ${status} ${json.detail.reason}`).toBe(`${method} ${path} 403 xcom_of_another`);
    }
  const { rows } = await database.store.query("select 1 from xcom where key = 'k'");
  expect(rows).toEqual([]);
});

test("a value of an earlier run is found when that is asked for", async () => {
  await database.store.query(
    "insert into xcom (dag_run_id, task_id, key, value) select id, 'a', 'old', to_json(run_id) from dag_run where run_id in ('r1', 'r2')",
  );
  expect((await get(own("old"))).status).toBe(404);
  expect((await json(`${own("old")}?include_prior_dates=true`)).value).toBe("r2");
  expect(await json(`${own("old")}/slice?include_prior_dates=true`)).toEqual(["r2"]);
  expect((await get(`${own("old")}?include_prior_dates=perhaps`)).status).toBe(422);
});

test("one key of all map indexes is a list: counted, one by one, and in slices", async () => {
  await database.store.query(
    "insert into xcom (dag_run_id, task_id, map_index, key, value) select id, 'b', i, 'k', to_json(i * 10) from dag_run, generate_series(0, 4) i where run_id = 'r3'",
  );
  const path = "/xcoms/d/r3/b/k";
  const head = (query = "") => api.ask("HEAD", `${path}${query}`, { token: one.token });
  expect((await head()).headers.get("content-range")).toBe("map_indexes 5");
  expect((await head("?map_index=2")).headers.get("content-range")).toBe("map_indexes 1");
  expect((await api.ask("HEAD", `${path}-none`, { token: one.token })).headers.get("content-range")).toBe("map_indexes 0");
  expect((await api.ask("HEAD", path)).status).toBe(401);
  expect(await json(`${path}/item/0`)).toBe(0);
  expect(await json(`${path}/item/-1`)).toBe(40);
  expect(await json(`${path}?offset=-2`)).toEqual({ key: "k", value: 30 });
  expect((await get(`${path}/item/5`)).status).toBe(404);
  expect(await json(`${path}/slice?start=1&stop=-1`)).toEqual([10, 20, 30]);
  expect(await json(`${path}/slice?step=-2`)).toEqual([40, 20, 0]);
  expect(await json(`${path}/slice?start=9`)).toEqual([]);
  expect((await get(`${path}/slice?step=0`)).json.detail.message).toContain("query.step");
});
