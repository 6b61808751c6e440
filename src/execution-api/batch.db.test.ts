import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "a", retries: 1, retryDelaySec: 60 },
      { taskId: "b", upstream: ["a"], inputs: [{ taskId: "a", key: "return_value" }] },
      { taskId: "c", upstream: ["a"] },
    ],
  });
});
afterAll(() => database.drop());

const batch = (items: object[]) => api.ask("POST", "/baram/batch", { body: { items } });
const runItem = (one: TestTry, worker = WORKER) => ({ op: "run", id: one.id, token: one.workload, ...worker });
const failure = (retryable: boolean) => ({
  state: "failed" as const,
  retryable,
  error: { name: "Error", message: "broken", stack: null },
  xcoms: [],
});
const success = (skipTasks: string[] = []) => ({ state: "success" as const, xcoms: [], skipTasks });

test("a start answers with the inputs that the task names", async () => {
  const a = await api.running("d", "a");
  await api.finish(a, { ...success(), xcoms: [{ key: "return_value", value: [1] }] });
  await database.store.query("update task_instance set state = 'queued', try_number = 1 where run_id = $1 and task_id = 'b'", [
    a.runId,
  ]);
  const { id } = await api.instance({ ...a, taskId: "b" });
  const workload = await api.resources.tokens.sign("baram:workload", { subject: id }, 3_600);
  const { json } = await batch([runItem({ ...a, id, workload })]);
  expect(json.items[0]).toMatchObject({
    ok: true,
    context: { inputs: [{ taskId: "a", key: "return_value", mapIndex: -1, value: [1] }], xcomMaxBytes: 1_000 },
  });
});

test("of two processes that start one try at once exactly one wins", async () => {
  for (let round = 0; round < 25; round++) {
    const one = await api.queued("d", "a");
    const answers = await Promise.all([101, 102].map((pid) => batch([runItem(one, { ...WORKER, pid })])));
    expect(answers.map(({ json }) => json.items[0].ok).sort()).toEqual([false, true]);
  }
});

test("a token of another try starts and ends nothing", async () => {
  const [one, other] = [await api.queued("d", "a"), await api.running("d", "a")];
  const { json } = await batch([
    { ...runItem(one), token: other.workload },
    { op: "finish", id: other.id, token: one.token, outcome: success() },
    { op: "finish", id: other.id, token: other.workload, outcome: success() },
  ]);
  expect(json.items.map((item: { status: number }) => item.status)).toEqual([401, 401, 401]);
  expect([(await api.instance(one)).state, (await api.instance(other)).state]).toEqual(["queued", "running"]);
});

test("a failure is retried while tries are left and the error allows it", async () => {
  const ended = async (retryable: boolean, tryNumber: number) => {
    const one = await api.running("d", "a", { tryNumber });
    expect((await api.finish(one, failure(retryable))).json.items).toEqual([{ id: one.id, ok: true }]);
    const after = await api.instance(one);
    expect(after.id === one.id).toBe(after.state === "failed");
    return after.state;
  };
  expect(await ended(true, 1)).toBe("up_for_retry");
  expect(await ended(true, 2)).toBe("failed");
  expect(await ended(false, 1)).toBe("failed");
});

test("success reported twice is stored once and answered with success twice", async () => {
  const one = await api.running("d", "a");
  const outcome = { ...success(), xcoms: [{ key: "k", value: 1 }] };
  expect((await api.finish(one, outcome)).json.items[0].ok).toBe(true);
  expect((await api.finish(one, { ...outcome, xcoms: [{ key: "k", value: 2 }] })).json.items[0].ok).toBe(true);
  expect(await api.xcoms(one)).toEqual({ k: 1 });
});

test("a failure that is retried, reported twice, after another or at once, is stored once and answered with success twice", async () => {
  for (const atOnce of [false, true]) {
    const one = await api.running("d", "a");
    const tell = () => api.finish(one, failure(true));
    const answers = atOnce ? await Promise.all([tell(), tell()]) : [await tell(), await tell()];
    expect(answers.map(({ json }) => json.items[0].ok)).toEqual([true, true]);
    expect((await api.instance(one)).state).toBe("up_for_retry");
    expect(await api.history(one)).toHaveLength(1);
    const other = { ...failure(true), error: { name: "Error", message: "another end", stack: null } };
    expect((await api.finish(one, other)).json.items[0]).toMatchObject({ ok: false, status: 409 });
  }
});

test("one outcome that cannot be stored fails its own try and keeps no other from ending", async () => {
  const outcomes = [
    { ...success(), xcoms: [{ key: "k", value: "x".repeat(2_000) }] },
    { state: "up_for_reschedule", rescheduleDate: "soon" },
    { ...failure(false), error: { name: "Bad\0", message: "a\0b", stack: null } },
    {
      ...success(),
      xcoms: [
        { key: "k\0", value: 1 },
        { key: "k", value: 2 },
      ],
    },
    { state: "skipped", reason: "\0", xcoms: [] },
    success(),
  ];
  const items = [];
  const tries: TestTry[] = [];
  for (const outcome of outcomes) {
    const one = await api.running("d", "a");
    tries.push(one);
    items.push({ op: "finish", id: one.id, token: one.token, outcome });
  }
  items.push({ ...items[5], outcome: success() });
  const { status, json } = await batch(items);
  expect(status).toBe(200);
  expect(json.items.every((item: { ok: boolean }) => item.ok)).toBe(true);
  const states = [];
  for (const one of tries) states.push((await api.instance(one)).state);
  expect(states).toEqual(["failed", "failed", "failed", "success", "skipped", "success"]);
  expect(await api.xcoms(tries[3] as TestTry)).toEqual({ k: 2 });
});

test("nobody ever sees a branch as a success while what it skips is not skipped", async () => {
  const reader = database.open();
  for (let round = 0; round < 60; round++) {
    const one = await api.running("d", "a");
    let isOver = false;
    const seen: { branch: string; skipped: number }[] = [];
    const watch = (async () => {
      while (!isOver) {
        const { rows } = await reader.query<{ branch: string; skipped: number }>(
          `select max(state) filter (where task_id = 'a') as branch, count(*) filter (where state = 'skipped')::int as skipped
             from task_instance where run_id = $1`,
          [one.runId],
        );
        seen.push(...rows);
      }
    })();
    await api.finish(one, success(["b", "c"]));
    isOver = true;
    await watch;
    for (const { branch, skipped } of seen) expect(`${branch} ${skipped}`).toMatch(/^(running 0|success 2)$/);
  }
});

test("a heartbeat renews a token that ages, and names the tries that are lost", async () => {
  const [one, ended] = [await api.running("d", "a"), await api.running("d", "a")];
  await api.finish(ended, success());
  const tries = [one, ended].map(({ id, token }) => ({ id, token }));
  const beat = async () => (await api.ask("POST", "/baram/heartbeat", { body: { tries } })).json;
  expect(await beat()).toEqual({ running: [{ id: one.id }], lost: [ended.id] });
  api.ahead.sec = 301;
  const { running } = await beat();
  api.ahead.sec = 0;
  expect(await api.resources.tokens.verify("baram:task", running[0].token)).toMatchObject({ subject: one.id });
  // What does not match is lost, and harms no other.
  const odd = [null, 3, { id: "x", token: one.token }, { id: ended.id }, { id: one.id, token: one.token }];
  const answer = await api.ask("POST", "/baram/heartbeat", { body: { tries: odd } });
  expect(answer).toMatchObject({ status: 200, json: { running: [{ id: one.id }], lost: [ended.id] } });
  tries[0] = { id: one.id, token: ended.token };
  expect((await beat()).lost).toContain(one.id);
});

test("a module is given to workloads and running tries only", async () => {
  const { rows } = await database.store.query<{ hash: string }>("select hash from dag_module");
  const path = `/baram/modules/${rows[0]?.hash}`;
  const [one, ended] = [await api.running("d", "a"), await api.running("d", "a")];
  await api.finish(ended, success());
  expect((await api.ask("GET", path)).status).toBe(401);
  expect((await api.ask("GET", path, { token: "nonsense" })).status).toBe(401);
  expect((await api.ask("GET", path, { token: one.workload })).status).toBe(200);
  expect((await api.ask("GET", path, { token: one.token })).status).toBe(200);
  expect((await api.ask("GET", path, { token: ended.token })).status).toBe(409);
  // Whether there is one is not told either.
  expect((await api.ask("GET", `/baram/modules/${"0".repeat(64)}`)).status).toBe(401);
  expect((await api.ask("GET", `/baram/modules/${"0".repeat(64)}`, { token: one.token })).status).toBe(404);
});
