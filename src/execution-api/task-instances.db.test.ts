import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, NOW, type TestExecutionApi, WORKER } from "../../tests/support/execution-api.ts";
import { fireTriggers } from "../store/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "once" },
      { taskId: "thrice", retries: 2, retryDelaySec: 60 },
      { taskId: "left", upstream: ["once"] },
      { taskId: "right", upstream: ["once"] },
    ],
  });
});
afterAll(() => database.drop());

test("a start answers Airflow's context and the running try's token", async () => {
  const one = await api.queued("d", "thrice", { logicalDate: new Date("2024-01-02T00:00:00Z") });
  const { status, json, headers } = await api.start(one);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    dag_run: { dag_id: "d", run_id: one.runId, run_type: "manual", state: "running", consumed_asset_events: [], conf: {} },
    max_tries: 2,
    should_retry: true,
    task_reschedule_count: 0,
    xcom_keys_to_clear: [],
  });
  expect(Date.parse(json.dag_run.logical_date)).toBe(Date.parse("2024-01-02T00:00:00Z"));
  const token = headers.get("refreshed-api-token") ?? "";
  expect(await api.resources.tokens.verify("baram:task", token)).toMatchObject({ subject: one.id });
  expect(await api.instance(one)).toMatchObject({ state: "running", ...WORKER });
});

test("the same process may start its try again, another may not", async () => {
  const one = await api.queued("d", "once");
  const first = await api.start(one);
  expect((await api.start(one)).json).toEqual(first.json);
  const other = await api.start(one, { ...WORKER, pid: 101 });
  expect(other.status).toBe(409);
  expect(other.json.detail).toMatchObject({ reason: "invalid_state", previous_state: "running" });
  expect((await api.instance(one)).pid).toBe(WORKER.pid);
});

test("a try that is started once more by its own process keeps its XComs", async () => {
  const one = await api.queued("d", "once", { tryNumber: 2 });
  await api.start(one);
  await api.ask("POST", api.xcomPath(one, "new"), { token: one.token, body: 2 });
  expect((await api.start(one)).status).toBe(200);
  expect(await api.xcoms(one)).toEqual({ new: 2 });
});

test("of two processes that start one try at once exactly one wins", async () => {
  for (let round = 0; round < 25; round++) {
    const one = await api.queued("d", "once");
    const answers = await Promise.all([101, 102].map((pid) => api.start(one, { ...WORKER, pid })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409]);
    expect((await api.instance(one)).pid).toBe(answers[0]?.status === 200 ? 101 : 102);
  }
});

test("a try that was taken back is gone for its worker", async () => {
  const one = await api.queued("d", "once");
  await database.store.query("update task_instance set id = gen_random_uuid(), state = 'scheduled' where id = $1", [one.id]);
  expect((await api.start(one)).status).toBe(404);
});

test("success is stored once however often it is reported", async () => {
  const one = await api.running("d", "once");
  expect((await api.report(one, { state: "success" })).status).toBe(204);
  const { end_date } = await api.instance(one);
  expect((await api.report(one, { state: "success", task_outlets: [], outlet_events: [] })).status).toBe(204);
  expect((await api.instance(one)).end_date).toEqual(end_date);
  const { rows } = await database.store.query("select 1 from task_event where state = 'success' and task_id = 'once'");
  expect(rows).toHaveLength(1);
  const late = await api.report(one, { state: "failed" });
  expect(late.json.detail).toMatchObject({ reason: "invalid_state", previous_state: "success" });
  expect(late.status).toBe(409);
});

test("up_for_retry is a retry while tries are left, under a new id, and then a failure", async () => {
  const one = await api.running("d", "thrice");
  expect((await api.report(one, { state: "up_for_retry", retry_reason: "flaky" })).status).toBe(204);
  const after = await api.instance(one);
  expect(after.state).toBe("up_for_retry");
  expect(after.id).not.toBe(one.id);
  expect(await api.history(one)).toMatchObject([{ id: one.id, state: "failed", reason: "TaskFailed: flaky" }]);

  const last = await api.running("d", "thrice", { tryNumber: 3 });
  expect((await api.report(last, { state: "up_for_retry" })).status).toBe(204);
  expect((await api.instance(last)).state).toBe("failed");
});

test("failed is final although tries are left; removed and upstream_failed fail too", async () => {
  for (const state of ["failed", "removed", "upstream_failed"]) {
    const one = await api.running("d", "thrice");
    expect((await api.report(one, { state })).status).toBe(204);
    expect((await api.instance(one)).state).toBe("failed");
  }
  const one = await api.running("d", "thrice");
  expect((await api.report(one, { state: "skipped" })).status).toBe(204);
  expect((await api.instance(one)).state).toBe("skipped");
});

test("a reschedule gives a new id and keeps the first poke's start", async () => {
  const one = await api.running("d", "once");
  const startOf = (id: string, token: string) => api.ask("GET", `/task-reschedules/${id}/start_date`, { token });
  expect((await startOf(one.id, one.token)).json).toBe(null);
  const { first_start_date } = await api.instance(one);
  const date = new Date(Date.now() + 60_000).toISOString();
  expect((await api.report(one, { state: "up_for_reschedule", reschedule_date: date })).status).toBe(204);
  const after = await api.instance(one);
  expect(after).toMatchObject({ state: "up_for_reschedule", reschedule_count: 1, try_number: 1 });
  expect(after.id).not.toBe(one.id);
  const token = await api.resources.tokens.sign("baram:task", { subject: after.id }, 60);
  await database.store.query("update task_instance set state = 'running' where id = $1", [after.id]);
  expect((await startOf(after.id, token)).json).toBe(first_start_date.toISOString());
  expect((await startOf(one.id, one.token)).status).toBe(409);
});

test("a deferral is stored encrypted and answered at the resumption, in Airflow's shape", async () => {
  const one = await api.running("d", "once");
  const first = await api.instance(one);
  const deferral = {
    state: "deferred",
    classpath: "Mine",
    trigger_kwargs: { password: "hidden in kwargs" },
    trigger_timeout: "PT1M30S",
    next_method: "execute_complete",
    next_kwargs: { id: "hidden in next" },
  };
  expect((await api.report(one, { ...deferral, trigger_timeout: "soon" })).status).toBe(422);
  expect((await api.report(one, deferral)).status).toBe(204);
  const after = await api.instance(one);
  expect(after).toMatchObject({ state: "deferred", try_number: 1, next_method: "execute_complete" });
  expect(after.id).not.toBe(one.id);
  expect(Math.round((after.trigger_timeout - after.end_date) / 1_000)).toBe(90);
  const { rows } = await database.store.query<{ kwargs: Buffer; module_hash: string }>("select kwargs, module_hash from trigger");
  expect(rows[0]?.module_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(rows[0]?.kwargs.toString("latin1")).not.toContain("hidden");
  expect(after.next_kwargs.toString("latin1")).not.toContain("hidden");
  const event = api.resources.cipher.encrypt(JSON.stringify({ state: "done" }));
  await fireTriggers(database.store, [{ triggerId: after.trigger_id, event, failure: null }]);
  await database.store.query("update task_instance set state = 'queued' where id = $1", [after.id]);
  const workload = await api.resources.tokens.sign("baram:workload", { subject: after.id }, 3_600);
  const { status, json } = await api.start({ ...one, id: after.id, workload });
  expect(status).toBe(200);
  expect(json).toMatchObject({
    next_method: "execute_complete",
    next_kwargs: { id: "hidden in next", event: { state: "done" } },
  });
  expect(Date.parse(json.start_date)).toBe(first.first_start_date.getTime());
  expect((await api.report(one, deferral)).status, "the stale try").toBe(409);
});

test("waiting for a person is refused with a reason, and leaves the try running", async () => {
  const one = await api.running("d", "once");
  const answer = await api.report(one, { state: "awaiting_input" });
  expect(answer.status).toBe(422);
  expect(answer.json.detail).toMatchObject({ reason: "deferral_unsupported" });
  expect((await api.instance(one)).state).toBe("running");
});

test("a body of the wrong shape is refused by the field's name", async () => {
  const one = await api.running("d", "once");
  const put = (path: string, body: unknown, method = "PUT", token = one.token) =>
    api.ask(method, `/task-instances/${one.id}/${path}`, { token, body });
  const cases: [Promise<{ status: number; json: { detail: { message: string } } }>, string][] = [
    [put("heartbeat", { hostname: "h" }), "body.pid"],
    [put("heartbeat", { hostname: "h", pid: "x" }), "body.pid"],
    [put("state", { state: "done", end_date: NOW }, "PATCH"), "body.state"],
    [put("state", { state: "success" }, "PATCH"), "body.end_date"],
    [put("state", { state: "success", end_date: "yesterday" }, "PATCH"), "body.end_date"],
    [put("state", { state: "up_for_reschedule", end_date: NOW }, "PATCH"), "body.reschedule_date"],
    [put("skip-downstream", { tasks: [1] }, "PATCH"), "body.tasks.0"],
    [put("rtif", [1]), "body"],
    [put("run", { state: "running", start_date: NOW, hostname: "h", unixname: "u" }, "PATCH", one.workload), "body.pid"],
  ];
  for (const [asked, field] of cases) {
    const { status, json } = await asked;
    expect(`${status} ${json.detail.message}`).toContain(`422 ${field}: `);
  }
  expect((await api.ask("PATCH", `/task-instances/${one.id}/state`, { token: one.token, raw: "{" })).status).toBe(400);
  expect((await api.instance(one)).state).toBe("running");
});

test("a heartbeat is for the process that runs the try, and renews an ageing token", async () => {
  const one = await api.running("d", "once");
  const beat = (body: object = WORKER) =>
    api.ask("PUT", `/task-instances/${one.id}/heartbeat`, { token: one.token, body: { hostname: "host-1", pid: 100, ...body } });
  await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour' where id = $1", [one.id]);
  const fresh = await beat({});
  expect(fresh.status).toBe(204);
  expect(fresh.headers.get("refreshed-api-token")).toBe(null);
  expect(Date.now() - (await api.instance(one)).last_heartbeat_at.getTime()).toBeLessThan(60_000);

  api.ahead.sec = 400;
  const ageing = await beat({});
  api.ahead.sec = 0;
  const token = ageing.headers.get("refreshed-api-token") ?? "";
  expect(await api.resources.tokens.verify("baram:task", token)).toMatchObject({ subject: one.id });

  const elsewhere = await beat({ pid: 7 });
  expect(elsewhere.status).toBe(409);
  expect(elsewhere.json.detail).toMatchObject({ reason: "running_elsewhere", current_hostname: "host-1", current_pid: 100 });
  expect((await beat({ hostname: "host-2" })).json.detail.reason).toBe("running_elsewhere");

  await api.report(one, { state: "success" });
  expect((await beat({})).json.detail).toMatchObject({ reason: "not_running", current_state: "success" });
  await database.store.query("delete from dag_run where run_id = $1", [one.runId]);
  expect((await beat({})).status).toBe(404);
});

test("an end is taken with a token that expired within the hour, and no other call is", async () => {
  const one = await api.running("d", "once");
  const expired = (ago: number) => api.resources.tokens.sign("baram:task", { subject: one.id }, -ago);
  const beat = await api.ask("PUT", `/task-instances/${one.id}/heartbeat`, { token: await expired(60), body: WORKER });
  expect(beat.status).toBe(401);
  expect((await api.report(one, { state: "success" }, await expired(3_700))).status).toBe(401);
  expect((await api.report(one, { state: "success" }, await expired(3_500))).status).toBe(204);
});

test("rendered fields are kept", async () => {
  const one = await api.running("d", "once");
  const put = await api.ask("PUT", `/task-instances/${one.id}/rtif`, { token: one.token, body: { command: "echo 1" } });
  expect(put.status).toBe(201);
  const { rows } = await database.store.query(
    "select fields from rendered_task_instance_fields f join dag_run r on r.id = f.dag_run_id where r.run_id = $1",
    [one.runId],
  );
  expect(rows).toEqual([{ fields: { command: "echo 1" } }]);
});

test("skip-downstream skips tasks by id and by map index, of the own run only", async () => {
  const one = await api.running("d", "once");
  const other = await api.running("d", "once");
  const tasks = ["left", ["right", 3]];
  const answer = await api.ask("PATCH", `/task-instances/${one.id}/skip-downstream`, { token: one.token, body: { tasks } });
  expect(answer.status).toBe(204);
  const stateOf = async (run: typeof one, taskId: string) => (await api.instance({ ...run, taskId })).state;
  expect(await stateOf(one, "left")).toBe("skipped");
  expect(await stateOf(one, "right")).toBe(null);
  expect(await stateOf(other, "left")).toBe(null);
  await api.ask("PATCH", `/task-instances/${one.id}/skip-downstream`, { token: one.token, body: { tasks: [["right", -1]] } });
  expect(await stateOf(one, "right")).toBe("skipped");
});

test("the previous successful run is that of the earlier logical date", async () => {
  await saveDagFixture(database.store, { dagId: "daily", tasks: [{ taskId: "a" }] });
  const before = [];
  for (const day of [1, 2, 3]) before.push(await api.queued("daily", "a", { logicalDate: new Date(Date.UTC(2024, 2, day)) }));
  await database.store.query("update dag_run set state = 'success', start_date = now() where run_id = $1", [before[0]?.runId]);
  const one = await api.running("daily", "a", { logicalDate: new Date(Date.UTC(2024, 2, 4)) });
  const answer = await api.ask("GET", `/task-instances/${one.id}/previous-successful-dagrun`, { token: one.token });
  expect(answer.json).toMatchObject({ start_date: expect.any(String), end_date: null });
  const undated = await api.running("daily", "a");
  const none = await api.ask("GET", `/task-instances/${undated.id}/previous-successful-dagrun`, { token: undated.token });
  expect(none.json).toEqual({ data_interval_start: null, data_interval_end: null, start_date: null, end_date: null });
});
