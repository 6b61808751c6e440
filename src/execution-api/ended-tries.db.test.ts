/** A token means what it says: it is good while its try or callback runs, for what that may do, and no longer. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";
import type { ForwardedMethod, Outcome } from "../contracts/index.ts";
import { clearRun } from "../scheduler/commands/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "a" }, { taskId: "b", callbacks: { onSuccess: true } }],
  });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "x" }] });
  await database.store.query("insert into connection (conn_id, conn_type) values ('c', 'http')");
});
afterAll(() => database.drop());

const success: Outcome = { state: "success", xcoms: [], skipTasks: [] };
const XCOM = { dagId: "d", runId: "r", taskId: "a", key: "k", includePriorDates: false };
const CALLS: Record<ForwardedMethod, object> = {
  getXcom: { ...XCOM, mapIndex: -1 },
  getXcomPage: { ...XCOM, after: null },
  setXcom: { key: "k", value: 1 },
  getConnection: { connId: "c" },
  getVariable: { key: "v" },
  setVariable: { key: "stolen", value: "1", description: null },
  deleteVariable: { key: "kept" },
  triggerDagRun: { dagId: "other", runId: null, logicalDate: null, conf: {}, resetDagRun: false, note: null },
  getDagRunState: { dagId: "d", runId: "r" },
  getNextRunAfter: { dagId: "d", runId: "r" },
  getTaskStates: { dagId: "d", runIds: ["r"], logicalDates: null, taskIds: null, taskGroupId: null },
  putRenderedFields: { fields: { a: 1 } },
};
const call = (token: string, method: ForwardedMethod, params: object = CALLS[method]) =>
  api.ask("POST", "/baram/call", { token, body: { method, params } });
const counts = async () =>
  (
    await database.store.query(
      `select (select count(*) from variable) as variables, (select count(*) from dag_run where dag_id = 'other') as runs,
              (select count(*) from log) as lines, (select count(*) from xcom) as xcoms`,
    )
  ).rows[0];

const ENDED: Record<string, (one: TestTry) => Promise<unknown>> = {
  "has ended": (one) => api.finish(one, success),
  "was cleared by another server": async (one) => {
    await clearRun(database.store, "d", one.runId, { user: "ada" });
    // What was seen of it is good for a second.
    api.ahead.sec += 2;
  },
  "never was": async (one) => {
    one.id = randomUUID();
    one.token = await api.resources.tokens.sign("baram:task", { subject: one.id }, 600);
  },
};

test.each(Object.keys(ENDED))("the token of a try that %s makes no call and passes no route", async (how) => {
  await database.store.query("insert into variable (key, val) values ('kept', '') on conflict do nothing");
  const one = await api.running("d", "a");
  await ENDED[how]?.(one);
  const before = await counts();
  for (const method of Object.keys(CALLS) as ForwardedMethod[]) {
    const { status, json } = await call(one.token, method);
    expect([method, status, json.detail.reason]).toEqual([method, 409, "try_not_running"]);
  }
  let walked = 0;
  for (const { method, path } of api.app.routes) {
    if (method === "ALL" || /^\/health|baram\/(batch|heartbeat|logs|call|callbacks|workers|probes)|\/run$/.test(path)) continue;
    const values: Record<string, string> = { dag: "d", run: one.runId, task: "a", id: one.id, hash: "0".repeat(64) };
    const at = path.replaceAll(/:(\w+)(\{.*?\})?/g, (_, name: string) => values[name] ?? "1");
    const bodies: Record<string, object> = {
      "/task-instances/:id/state": { state: "success", end_date: "2024-05-01T00:00:00Z" },
      "/task-instances/:id/heartbeat": { hostname: "host-1", pid: 100 },
    };
    // The report of an end is taken when it only repeats what is stored.
    if (how === "has ended" && path.endsWith("/state")) continue;
    const answer = await api.ask(method, at, { token: one.token, body: method === "GET" ? undefined : (bodies[path] ?? {}) });
    expect([409, 404], `${method} ${path} ${answer.status}`).toContain(answer.status);
    if (!path.endsWith("/heartbeat")) expect(`${path} ${answer.status}`).toBe(`${path} 409`);
    walked++;
  }
  expect(walked).toBeGreaterThan(30);
  expect(await counts()).toEqual(before);
});

test("a running try looks into the database once a second, and a try that this server started not at all", async () => {
  const one = await api.running("d", "a");
  const cost = async () => {
    const before = api.resources.store.statementCount();
    await call(one.token, "getVariable");
    return api.resources.store.statementCount() - before;
  };
  expect(await cost()).toBe(1);
  api.ahead.sec += 2;
  expect([await cost(), await cost()]).toEqual([2, 1]);
});

async function startedByBatch(taskId: string): Promise<TestTry> {
  const one = await api.queued("d", taskId);
  const item = { op: "run", id: one.id, token: one.workload, ...WORKER };
  const { json } = await api.ask("POST", "/baram/batch", { body: { items: [item] } });
  return { ...one, token: json.items[0].context.token };
}

test("the end of a task with callbacks brings a token for their calls, which writes nothing of the try and is never renewed", async () => {
  const without = await startedByBatch("a");
  expect((await api.finish(without, success)).json.items).toEqual([{ id: without.id, ok: true }]);
  const one = await startedByBatch("b");
  const [{ token }] = (await api.finish(one, success)).json.items;
  expect((await call(one.token, "getConnection")).status).toBe(409);
  expect((await call(token, "getConnection")).json.result).toMatchObject({ connId: "c" });
  expect((await call(token, "setVariable", { key: "by-callback", value: "1", description: null })).status).toBe(200);
  for (const method of ["setXcom", "putRenderedFields"] as const) expect((await call(token, method)).status).toBe(409);
  const beat = await api.ask("POST", "/baram/heartbeat", { body: { tries: [{ id: one.id, token }] } });
  expect(beat.json).toMatchObject({ running: [], lost: [one.id] });
  const { expiresAt } = await api.resources.tokens.verify("baram:task", token);
  expect(expiresAt - Date.now() / 1_000).toBeLessThanOrEqual(330);
});

test("a report that is repeated brings the token again, but no more time, and none when the time is over", async () => {
  const one = await startedByBatch("b");
  await api.finish(one, success);
  const again = async (secAgo: number) => {
    await database.store.query("update task_instance set end_date = now() - make_interval(secs => $2) where id = $1", [
      one.id,
      secAgo,
    ]);
    return (await api.finish(one, success)).json.items[0];
  };
  const { token } = await again(300);
  const { expiresAt } = await api.resources.tokens.verify("baram:task", token);
  expect(expiresAt - Date.now() / 1_000).toBeLessThanOrEqual(30);
  expect(await again(331)).toEqual({ id: one.id, ok: true });
});

test("a callback's token is good while the callback runs", async () => {
  const run = await api.running("d", "a");
  const { rows } = await database.store.query<{ id: string }>(
    `insert into callback_request (dag_run_id, data, module_hash, state)
     select id, $2, 'x', 'queued' from dag_run where dag_id = 'd' and run_id = $1 returning id`,
    [run.runId, JSON.stringify({ kind: "dag", callback: "onSuccess", reason: "r" })],
  );
  const id = rows[0]?.id ?? "";
  const start = await api.resources.tokens.sign("baram:workload", { subject: id }, 60);
  const early = await api.resources.tokens.sign("baram:task", { subject: id }, 60);
  expect((await call(early, "getConnection")).status).toBe(409);
  const { json } = await api.ask("POST", `/baram/callbacks/${id}/start`, { token: start, body: {} });
  expect((await call(json.token, "getConnection")).status).toBe(200);
  expect((await call(json.token, "setVariable")).status).toBe(200);
  const { rows: lines } = await database.store.query("select owner from log where event = 'task_variable_set' order by id desc");
  expect(lines[0]).toEqual({ owner: `callback d/${run.runId}` });
  expect((await api.ask("POST", `/baram/callbacks/${id}/end`, { token: start, body: { state: "success" } })).status).toBe(401);
  expect((await api.ask("POST", `/baram/callbacks/${id}/end`, { token: json.token, body: { state: "success" } })).status).toBe(
    200,
  );
  expect((await call(json.token, "getConnection")).status).toBe(409);
});

test("what a task does to variables and to other DAGs' runs is in the audit log under its name, and only if it was done", async () => {
  const one = await api.running("d", "a");
  const owner = `task d/${one.runId}/a`;
  const trigger = { ...CALLS.triggerDagRun, runId: "told" };
  const logged = async () =>
    (await database.store.query("select event, dag_id, run_id, extra from log where owner = $1 order by id", [owner])).rows;
  await call(one.token, "setVariable", { key: "v", value: "secret-value", description: null });
  await call(one.token, "deleteVariable", { key: "v" });
  await call(one.token, "deleteVariable", { key: "no such" });
  await call(one.token, "triggerDagRun", trigger);
  await call(one.token, "triggerDagRun", trigger);
  await call(one.token, "triggerDagRun", { ...trigger, resetDagRun: true });
  await call(one.token, "triggerDagRun", { ...trigger, dagId: "none" });
  await api.ask("POST", "/dag-runs/other/told/clear", { token: one.token, body: {} });
  await api.ask("POST", "/dag-runs/other/told2", { token: one.token, body: {} });
  await api.ask("PUT", "/variables/w", { token: one.token, body: { val: "1" } });
  const own = { dag_id: "d", run_id: one.runId };
  const by = { map_index: -1, try_number: 1 };
  const lines = await logged();
  expect(lines).toEqual([
    { event: "task_variable_set", ...own, extra: { key: "v", ...by } },
    { event: "task_variable_delete", ...own, extra: { key: "v", ...by } },
    { event: "task_dag_trigger", dag_id: "other", run_id: "told", extra: by },
    { event: "task_run_clear", dag_id: "other", run_id: "told", extra: { instances: 1, ...by } },
    { event: "task_run_clear", dag_id: "other", run_id: "told", extra: { instances: 1, ...by } },
    { event: "task_dag_trigger", dag_id: "other", run_id: "told2", extra: by },
    { event: "task_variable_set", ...own, extra: { key: "w", ...by } },
  ]);
  expect(JSON.stringify(lines)).not.toContain("secret-value");
});

test("a change and its line in the audit log are one: without the line there is no change", async () => {
  const one = await api.running("d", "a");
  await database.store.query("alter table log rename to log_away");
  try {
    expect((await call(one.token, "setVariable", { key: "unlogged", value: "1", description: null })).status).toBe(500);
    expect((await call(one.token, "triggerDagRun", { ...CALLS.triggerDagRun, runId: "unlogged" })).status).toBe(500);
  } finally {
    await database.store.query("alter table log_away rename to log");
  }
  const { rows } = await database.store.query(
    "select key from variable where key = 'unlogged' union all select run_id from dag_run where run_id = 'unlogged'",
  );
  expect(rows).toEqual([]);
});
