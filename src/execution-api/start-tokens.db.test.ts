/** Start tokens have an end, and where a broker carries them they are worth nothing without a worker's own token. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }] });
});
afterAll(() => database.drop());

const sign = (one: { id: string }, ttlSec: number, needsWorker = false) =>
  api.resources.tokens.sign("baram:workload", { subject: one.id, needsWorker }, ttlSec);
const ofWorker = () => api.resources.tokens.sign("baram:worker", { subject: "w" }, 60);
const start = (one: TestTry, token: string, bearer: string) =>
  api.ask("POST", "/baram/batch", {
    token: bearer,
    body: { items: [{ op: "run", id: one.id, token, ...WORKER }] },
  });

test.each(["a batch", "a route of its own", "its module", "a batch of a worker"])(
  "a workload that outlived its start token is not started by %s: its try is put back, to be handed out with a new one",
  async (how) => {
    const one = await api.queued("d", "a");
    const token = await sign(one, -1);
    const ask = {
      "a batch": () => start(one, token, token),
      "a route of its own": () => api.start({ ...one, workload: token }),
      "its module": () => api.ask("GET", `/baram/modules/${"0".repeat(64)}`, { token }),
      "a batch of a worker": async () => start(one, token, await ofWorker()),
    }[how];
    const answer = await ask?.();
    expect(answer?.json.items?.[0].status ?? answer?.status).toBe(401);
    expect(answer?.json.items?.[0].code ?? answer?.json.detail.reason).toBe("token_expired");
    const after = await api.instance(one);
    expect(after).toMatchObject({ state: "scheduled", queued_by_job_id: null });
    expect(after.id).not.toBe(one.id);
    // Once: the old token means nothing to the new id, nor to a try that has started.
    await ask?.();
    expect((await api.instance(one)).id).toBe(after.id);
  },
);

test("an expired start token does nothing to a try that runs", async () => {
  const one = await api.running("d", "a");
  const token = await sign(one, -1);
  await start(one, token, token);
  expect(await api.instance(one)).toMatchObject({ id: one.id, state: "running" });
});

test("a start token out of a broker is useless without a worker's own token", async () => {
  const one = await api.queued("d", "a");
  const token = await sign(one, 60, true);
  const other = await api.running("d", "a");
  const hash = "0".repeat(64);
  for (const bearer of [token, other.token, other.workload])
    expect((await start(one, token, bearer)).json.items[0]).toMatchObject({ status: 403, code: "worker_token_needed" });
  expect((await api.start({ ...one, workload: token })).json.detail.reason).toBe("worker_token_needed");
  expect((await api.ask("GET", `/baram/modules/${hash}`, { token })).status).toBe(403);
  expect((await api.instance(one)).state).toBe("queued");
  expect((await api.ask("GET", `/baram/modules/${hash}`, { token: await ofWorker() })).status).toBe(404);
  expect((await start(one, token, await ofWorker())).json.items[0]).toMatchObject({ ok: true });
});

test("a callback out of a broker is started by a worker's call only", async () => {
  const run = await api.running("d", "a");
  const { rows } = await database.store.query<{ id: string }>(
    `insert into callback_request (dag_run_id, data, module_hash, state)
     select id, $2, 'x', 'queued' from dag_run where dag_id = 'd' and run_id = $1 returning id`,
    [run.runId, JSON.stringify({ kind: "dag", callback: "onSuccess", reason: "r" })],
  );
  const id = rows[0]?.id ?? "";
  const token = await sign({ id }, 60, true);
  const path = `/baram/callbacks/${id}/start`;
  expect((await api.ask("POST", path, { token, body: { token } })).status).toBe(403);
  expect((await api.ask("POST", path, { token: await ofWorker(), body: { token: run.workload } })).status).toBe(403);
  expect((await api.ask("POST", path, { token: await ofWorker(), body: {} })).status).toBe(422);
  expect((await api.ask("POST", path, { token: await ofWorker(), body: { token } })).status).toBe(200);
});

test("a heartbeat with tokens that an outage made overdue keeps the tries that still run, and renews their tokens", async () => {
  const [one, late] = [await api.running("d", "a"), await api.running("d", "a")];
  const overdue = await api.resources.tokens.sign("baram:task", { subject: one.id }, -3_000);
  const old = await api.resources.tokens.sign("baram:task", { subject: late.id }, -3_700);
  const tries = [
    { id: one.id, token: overdue },
    { id: late.id, token: old },
  ];
  const { status, json } = await api.ask("POST", "/baram/heartbeat", { token: overdue, body: { tries } });
  expect(status).toBe(200);
  expect(json).toMatchObject({ running: [{ id: one.id, token: expect.any(String) }], lost: [late.id] });
  expect(await api.resources.tokens.verify("baram:task", json.running[0].token)).toMatchObject({ subject: one.id });
  expect((await api.ask("POST", "/baram/heartbeat", { token: old, body: { tries } })).status).toBe(401);
});

test("an item with an expired token is refused alone", async () => {
  const [one, late] = [await api.running("d", "a"), await api.running("d", "a")];
  const old = await api.resources.tokens.sign("baram:task", { subject: late.id }, -3_700);
  const items = [one, { ...late, token: old }].map(({ id, token }) => ({
    op: "finish",
    id,
    token,
    outcome: { state: "success" },
  }));
  const { json } = await api.ask("POST", "/baram/batch", { token: one.token, body: { items } });
  expect(json.items).toEqual([{ id: one.id, ok: true }, expect.objectContaining({ id: late.id, status: 401 })]);
});
