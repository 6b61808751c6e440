// What the database cannot hold or read: it fails the try that brought it, with the reason, and no other.

import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";
import { finishByOutcome } from "../scheduler/commands/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "a", retries: 3, callbacks: { onFailure: true } },
      { taskId: "b", retries: 3 },
      {
        taskId: "m",
        upstream: ["b"],
        mapping: { kind: "expand", inputs: [{ name: "1", source: { type: "xcom", taskId: "b" } }] },
      },
    ],
  });
});
afterAll(() => database.drop());

const success = (xcoms: object[] = []) => ({ state: "success", xcoms, skipTasks: [] });
const finishItem = ({ id, token }: TestTry, outcome: object) => ({ op: "finish", id, token, outcome });
const batch = (items: object[]) => api.ask("POST", "/baram/batch", { body: { items } });

const DEFERRED = {
  state: "deferred",
  classpath: "baram.triggers.DateTimeTrigger",
  triggerKwargs: {},
  timeoutSec: null as number | null,
  nextMethod: "execute",
  nextKwargs: {},
};
const NESTED = JSON.parse(`${"[".repeat(2_500)}${"]".repeat(2_500)}`);

test.each([
  ["a deferral of 999,999,999,999 days", { ...DEFERRED, timeoutSec: 999_999_999_999 * 86_400 }],
  ["a reschedule date of the year 0001", { state: "up_for_reschedule", rescheduleDate: "0001-01-01T00:00:00Z" }],
  ["a reschedule date of the year 275000", { state: "up_for_reschedule", rescheduleDate: "+275000-01-01T00:00:00Z" }],
  ["more elements than an integer holds", { ...success(), mapLength: Number.MAX_SAFE_INTEGER }],
  ["an XCom with a NUL", success([{ key: "k", value: { "a\0b": 1 } }])],
  ["an XCom with half of a surrogate pair", success([{ key: "k", value: ["\ud800"] }])],
  ["an XCom nested too deep to be read", success([{ key: "k", value: NESTED }])],
  ["no outcome at all", { state: "nonsense" }],
])("%s fails its own try without a retry, says so to its worker, and the others of the batch end", async (_name, outcome) => {
  const [before, bad, after] = [await api.running("d", "b"), await api.running("d", "a"), await api.running("d", "b")];
  const { status, json } = await batch([
    finishItem(before, success()),
    finishItem(bad, outcome),
    finishItem(after, success([{ key: "k", value: "\\u0000 as text" }])),
  ]);
  expect(status).toBe(200);
  expect(json.items).toEqual([
    { id: before.id, ok: true },
    { id: bad.id, ok: true, failed: expect.any(String) },
    { id: after.id, ok: true },
  ]);
  const states = await Promise.all([before, bad, after].map(async (one) => (await api.instance(one)).state));
  expect(states).toEqual(["success", "failed", "success"]);
  expect(await api.xcoms(after)).toEqual({ k: "\\u0000 as text" });
});

test("an item that cannot be read is answered in its place, by its id if it has one, and keeps no other from ending", async () => {
  const one = await api.running("d", "b");
  const start = await api.queued("d", "b");
  const { status, json } = await batch([
    { op: "finish" },
    ["no", "object"],
    [[["deep"]]],
    { op: "finish", id: one.id, token: 5, outcome: success() },
    { op: "walk", id: start.id, token: start.workload },
    { op: "run", id: start.id, token: start.workload, ...WORKER, pid: 3_000_000_000 },
    { op: "run", id: start.id, token: "x".repeat(5_000), ...WORKER },
    finishItem(one, success()),
  ]);
  expect(status).toBe(200);
  const answers = json.items.map((item: { id: string | null; status?: number }) => [item.id, item.status ?? 200]);
  expect(answers).toEqual([
    [null, 422],
    [null, 422],
    [null, 422],
    [one.id, 422],
    [start.id, 422],
    [start.id, 422],
    [start.id, 422],
    [one.id, 200],
  ]);
  expect([(await api.instance(one)).state, (await api.instance(start)).state]).toEqual(["success", "queued"]);
});

const failed = (error: object) => ({ state: "failed", retryable: false, error, xcoms: [] });
test.each<[string, object, RegExp | null]>([
  ["an empty key", { ...success(), xcoms: [{ key: "", value: 1 }] }, /xcoms\.0\.key/],
  ["a key of 600 characters", { ...success(), xcoms: [{ key: "k".repeat(600), value: 1 }] }, /xcoms\.0\.key/],
  ["an error whose message is an object", failed({ name: "E", message: { a: 1 }, stack: null }), /error\.message/],
  ["an error whose name is a number", failed({ name: 7, message: "m", stack: null }), /error\.name/],
  ["a value that is nested too deep", { ...success(), xcoms: [{ key: "k", value: NESTED }] }, /nested deeper than 1000/],
  ["too many XComs", { ...success(), xcoms: Array.from({ length: 1_001 }, (_, at) => ({ key: `${at}`, value: 1 })) }, /xcoms/],
  ["too many skips", { ...success(), skipTasks: Array.from({ length: 10_001 }, () => "b") }, /skipTasks/],
  [
    "too many fields",
    { ...success(), renderedFields: Object.fromEntries(Array.from({ length: 501 }, (_, at) => [at, 1])) },
    /500/,
  ],
  ["no outcome", {}, /state/],
  // What people read is cut.
  ["a long message", failed({ name: "E".repeat(1_000), message: "m".repeat(100_000), stack: "s".repeat(100_000) }), null],
  ["a long reason", { state: "skipped", reason: "r".repeat(100_000), xcoms: [] }, null],
  ["a long label", { ...success(), renderedMapIndex: "l".repeat(1_000) }, null],
])("an end with %s harms its own try and no neighbour", async (_, outcome, why) => {
  const [before, bad, after] = [await api.running("d", "b"), await api.running("d", "b"), await api.running("d", "b")];
  const { status, json } = await batch([
    finishItem(before, success()),
    { op: "finish", id: bad.id, token: bad.token, outcome },
    finishItem(after, success()),
  ]);
  expect(status).toBe(200);
  expect(json.items).toEqual([
    { id: before.id, ok: true },
    why === null ? { id: bad.id, ok: true } : { id: bad.id, ok: true, failed: expect.stringMatching(why) },
    { id: after.id, ok: true },
  ]);
  const states = await Promise.all([before, after].map(async (one) => (await api.instance(one)).state));
  expect(states).toEqual(["success", "success"]);
  const { state, rendered_map_index: label } = await api.instance(bad);
  expect(state).not.toBe("running");
  if (label !== null) expect(label).toBe(`${"l".repeat(249)}…`);
});

test("what no schema catches and the database refuses fails its own try in a batch of many, and owes its callback", async () => {
  const tries = await Promise.all(Array.from({ length: 9 }, (_, at) => api.running("d", at === 4 ? "a" : "b")));
  const { store, dags } = api.resources;
  const statements = store.statementCount();
  const ended = await finishByOutcome(
    store,
    dags,
    tries.map(({ id }, at) => ({
      id,
      // As a caller would bring it that has not looked: a text that PostgreSQL cannot hold.
      outcome: { state: "success", skipTasks: [], xcoms: at === 4 ? [{ key: "k\0", value: 1 }] : [{ key: "k", value: at }] },
    })),
  );
  expect(ended.map(({ id, state, refused }) => [id, state, refused !== undefined]).sort()).toEqual(
    tries.map(({ id }, at) => [id, at === 4 ? "failed" : "success", at === 4]).sort(),
  );
  expect(store.statementCount() - statements, "halves, not one by one").toBeLessThan(18);
  const { rows } = await store.query<{ reason: string }>(
    "select data ->> 'reason' as reason from callback_request c join dag_run r on r.id = c.dag_run_id where r.run_id = $1",
    [tries[4]?.runId],
  );
  expect(rows).toEqual([{ reason: expect.stringContaining("invalid byte sequence") }]);
});

test("a batch of many that nothing is wrong with is one statement", async () => {
  const tries = await Promise.all(Array.from({ length: 5 }, () => api.running("d", "b")));
  const { store, dags } = api.resources;
  const before = store.statementCount();
  await finishByOutcome(
    store,
    dags,
    tries.map(({ id }) => ({ id, outcome: { state: "success", skipTasks: [], xcoms: [] } })),
  );
  expect(store.statementCount() - before).toBe(1);
});

test("a failure whose trace holds a NUL owes a callback that can be read", async () => {
  const one = await api.running("d", "a");
  const error = { name: "E", message: "m\0\ud800", stack: "at\0 x" };
  await batch([finishItem(one, { state: "failed", retryable: false, owesCallback: true, error, xcoms: [] })]);
  const { rows } = await database.store.query<{ reason: string }>(
    "select data ->> 'reason' as reason from callback_request c join dag_run r on r.id = c.dag_run_id where r.run_id = $1",
    [one.runId],
  );
  expect(rows).toEqual([{ reason: "m\ufffd" }]);
});

test.each([
  ["a NUL in a value", "k", "a\0b"],
  ["a NUL in a name", "k", { "a\0": 1 }],
  ["half of a surrogate pair", "k", ["\udfff"]],
  ["a NUL in its key", "k\0", 1],
])("an XCom with %s is refused to the task that sets it", async (_name, key, value) => {
  const one = await api.running("d", "b");
  const call = await api.ask("POST", "/baram/call", {
    token: one.token,
    body: { method: "setXcom", params: { key, value } },
  });
  expect(call.status).toBe(422);
  expect((await api.ask("POST", api.xcomPath(one, encodeURIComponent(key)), { token: one.token, body: value })).status).toBe(422);
  expect(await api.xcoms(one)).toEqual({});
});

test("a try whose DAG version cannot be read fails, and the other starts of the batch go on", async () => {
  const versionId = await saveDagFixture(database.store, { dagId: "old", tasks: [{ taskId: "b" }] });
  const [bad, other] = [await api.queued("old", "b"), await api.queued("d", "b")];
  // As an older release kept it: more slots than a task may take by now.
  await database.store.query(
    `update serialized_dag set data = jsonb_set(data::jsonb, '{tasks,0,poolSlots}', '2000000000')::json where dag_version_id = $1`,
    [versionId],
  );
  const fresh = createTestExecutionApi(database.store);
  const token = (id: string) => fresh.resources.tokens.sign("baram:workload", { subject: id }, 3_600);
  const run = async ({ id }: TestTry) => ({ op: "run", id, token: await token(id), ...WORKER });
  const { json } = await fresh.ask("POST", "/baram/batch", { body: { items: [await run(bad), await run(other)] } });
  expect(json.items[0]).toMatchObject({ ok: false, code: "inputs_refused", message: expect.stringContaining("poolSlots") });
  expect(json.items[1]).toMatchObject({ ok: true });
  expect([(await api.instance(bad)).state, (await api.instance(other)).state]).toEqual(["failed", "running"]);
});

test("values that cannot be read any more fail the try that asks for them, and the other starts of the batch go on", async () => {
  const source = await api.running("d", "b");
  const { store } = database;
  // As an older release kept it: the column takes it, and every statement that takes it apart fails.
  await store.query(
    `insert into xcom (dag_run_id, task_id, key, value) select id, 'b', 'return_value', '{"a\\u0000": 1}' from dag_run where run_id = $1`,
    [source.runId],
  );
  await store.query(
    "insert into task_map (dag_run_id, task_id, map_index, length) select id, 'b', -1, 1 from dag_run where run_id = $1",
    [source.runId],
  );
  const { rows } = await store.query<{ id: string }>(
    `update task_instance set state = 'queued', try_number = 1, queued_dttm = now(), map_index = 0
      where run_id = $1 and task_id = 'm' returning id`,
    [source.runId],
  );
  const id = rows[0]?.id ?? "";
  const mapped = {
    ...source,
    id,
    taskId: "m",
    workload: await api.resources.tokens.sign("baram:workload", { subject: id }, 3_600),
  };
  const other = await api.queued("d", "b");
  const run = (one: TestTry) => ({ op: "run", id: one.id, token: one.workload, ...WORKER });
  const { status, json } = await batch([run(mapped), run(other)]);
  expect(status).toBe(200);
  expect(json.items[0]).toMatchObject({ ok: false, status: 409, code: "inputs_refused" });
  expect(json.items[1]).toMatchObject({ ok: true });
  expect([(await api.instance(mapped)).state, (await api.instance(other)).state]).toEqual(["failed", "running"]);
});

test.each([
  ["setXcom", { key: "k", value: NESTED }],
  ["triggerDagRun", { dagId: "d", runId: null, logicalDate: null, conf: { a: NESTED }, resetDagRun: false, note: null }],
  ["setVariable", { key: "k", value: "\ud800", description: null }],
  ["setVariable", { key: "\ud800", value: "v", description: null }],
])("%s with what cannot be read or kept is refused, so that it is not sent again", async (method, params: object) => {
  const one = await api.running("d", "b");
  const { status, json } = await api.ask("POST", "/baram/call", { token: one.token, body: { method, params } });
  expect(status).toBe(JSON.stringify(params).includes("[[[") ? 400 : 422);
  expect(json.detail.message).toMatch(
    /(must not be|body is) nested deeper than 1000 levels|must not hold half of a surrogate pair/,
  );
});
