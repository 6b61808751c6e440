import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi } from "../../../../tests/support/execution-api.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";

let database: TestDatabase;
let api: TestApi;
let execution: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  execution = createTestExecutionApi(database.store);
});
afterAll(() => database.drop());

const report = (instance: string, more: object = {}) => ({
  instance,
  hostname: "host-1",
  pid: 7,
  version: "1.2.3",
  queues: ["default"],
  concurrency: 16,
  active: 2,
  state: "running",
  takesOver: null,
  ...more,
});

async function beat(name: string, body: object) {
  const token = await execution.resources.tokens.sign("baram:worker", { subject: decodeURIComponent(name) }, 60);
  return execution.ask("POST", `/baram/workers/${name}/heartbeat`, { token, body });
}
const silence = (name: string, sec: number) =>
  database.store.query("update worker set last_heartbeat = now() - make_interval(secs => $2) where name = $1", [name, sec]);
const patch = (name: string, body: object, as?: "viewer" | "op") => api.ask("PATCH", `/api/v2/workers/${name}`, { body, as });

test("a worker's row comes with its first heartbeat, is lost when it is silent, and ends when it says so", async () => {
  const instance = randomUUID();
  expect((await beat("w1", report(instance))).json).toEqual({ isYours: true, queues: null, shutdown: false });
  const { json } = await api.get("/api/v2/workers/w1");
  expect(json).toMatchObject({
    worker_name: "w1",
    state: "running",
    hostname: "host-1",
    queues: ["default"],
    active: 2,
    concurrency: 16,
  });
  await silence("w1", 31);
  expect((await api.get("/api/v2/workers?state=lost")).json).toMatchObject({
    total_entries: 1,
    workers: [{ worker_name: "w1" }],
  });
  await beat("w1", report(instance, { state: "offline" }));
  expect((await api.get("/api/v2/workers/w1")).json.state).toBe("offline");
  expect((await patch("w1", { shutdown: true })).status).toBe(409);
});

test("requested changes reach the worker with its next heartbeat, add up, and are dropped by a new process of the same name", async () => {
  const instance = randomUUID();
  await beat("w2", report(instance));
  expect((await patch("w2", { add_queues: ["heavy", "default"] })).json.requested_queues).toEqual(["default", "heavy"]);
  await patch("w2", { add_queues: ["x"], remove_queues: ["default"] });
  expect((await beat("w2", report(instance))).json).toEqual({ isYours: true, queues: ["heavy", "x"], shutdown: false });
  await patch("w2", { shutdown: true });
  expect((await beat("w2", report(instance, { queues: ["heavy", "x"] }))).json.shutdown).toBe(true);
  await beat("w2", report(instance, { state: "offline" }));
  expect((await beat("w2", report(randomUUID()))).json).toEqual({ isYours: true, queues: null, shutdown: false });
});

test("a name belongs to one living worker; it is free when that one is silent, gone, or found dead by its successor", async () => {
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  await beat("w3", report(first));
  const refused = await beat("w3", report(second));
  expect(refused.json).toMatchObject({ isYours: false, holder: { instance: first, hostname: "host-1", pid: 7 } });
  await silence("w3", 31);
  expect((await beat("w3", report(second))).json.isYours).toBe(true);
  expect((await beat("w3", report(first))).json).toMatchObject({ isYours: false, holder: { instance: second } });
  expect((await beat("w3", report(third, { takesOver: first }))).json.isYours).toBe(false);
  expect((await beat("w3", report(third, { takesOver: second }))).json.isYours).toBe(true);
});

test("of workers that take a free name at once exactly one has it", async () => {
  const instances = Array.from({ length: 8 }, () => randomUUID());
  const answers = await Promise.all(instances.map((instance) => beat("w4", report(instance))));
  expect(answers.filter(({ json }) => json.isYours)).toHaveLength(1);
});

test("a worker's token is for its own name, or for the names that begin with its prefix", async () => {
  const { tokens } = execution.resources;
  const beatAs = async (grant: string, name: string) => {
    const token = await tokens.sign("baram:worker", { subject: grant }, 60);
    return execution.ask("POST", `/baram/workers/${name}/heartbeat`, { token, body: report(randomUUID()) });
  };
  expect((await beatAs("n1", "n1")).json.isYours).toBe(true);
  for (const [grant, name] of [
    ["n2", "n1"],
    ["n", "n1"],
    ["n1x", "n1"],
    ["worker", "n1"],
    ["m-*", "n1"],
    ["*", "n1"],
  ] as const) {
    const { status, json } = await beatAs(grant, name);
    expect([grant, status, json.detail?.reason]).toEqual([grant, 403, "token_of_another_worker"]);
  }
  expect((await beatAs("n-*", "n-17")).json.isYours).toBe(true);
});

test("only a worker's token keeps a row, and what does not fit is refused with its place", async () => {
  const { tokens } = execution.resources;
  for (const audience of ["baram:user", "baram:workload", "baram:task"] as const) {
    const token = await tokens.sign(audience, { subject: "w5" }, 60);
    const answer = await execution.ask("POST", "/baram/workers/w5/heartbeat", { token, body: report(randomUUID()) });
    expect([audience, answer.status]).toEqual([audience, 401]);
  }
  expect((await beat("no%20name", report(randomUUID()))).status).toBe(422);
  const wrong = await beat("w5", report(randomUUID(), { queues: ["a:b"] }));
  expect([wrong.status, wrong.json.detail.message]).toEqual([422, expect.stringContaining("queues[0]")]);
  expect((await api.get("/api/v2/workers/w5")).status).toBe(404);
});

test("a viewer may look and not change; lists are paged, ordered and filtered; a worker that is not there is 404", async () => {
  for (const name of ["p1", "p2", "p3"])
    await beat(name, report(randomUUID(), { queues: name === "p2" ? ["rare"] : ["default"] }));
  expect((await patch("p1", { shutdown: true }, "viewer")).status).toBe(403);
  expect((await patch("absent", { shutdown: true }, "op")).status).toBe(404);
  expect((await patch("p1", { queues: [] })).status).toBe(422);
  const page = await api.get("/api/v2/workers?worker_name_pattern=p&order_by=-worker_name&limit=2");
  expect(page.json).toMatchObject({ total_entries: 3, workers: [{ worker_name: "p3" }, { worker_name: "p2" }] });
  expect((await api.get("/api/v2/workers?queue_name=rare")).json.workers).toHaveLength(1);
  await patch("p1", { shutdown: true }, "op");
  const { rows } = await database.store.query("select extra from log where event = 'patch_worker' and owner = 'a-op'");
  expect(rows).toHaveLength(1);
});
