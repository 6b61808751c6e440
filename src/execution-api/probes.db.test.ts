/** What the worker of `baram executors check` calls, and that its token is good for nothing else. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi } from "../../tests/support/execution-api.ts";
import { probeLogLine, probeLogPath } from "../contracts/index.ts";
import { findProbe, insertProbe, removeProbe } from "../store/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
});
afterAll(() => database.drop());

async function make(needsWorker = false, ttlSec = 60) {
  const id = randomUUID();
  await insertProbe(database.store, id, "LocalExecutor");
  return { id, token: await api.resources.tokens.sign("baram:probe", { subject: id, needsWorker }, ttlSec) };
}
type One = Awaited<ReturnType<typeof make>>;

const start = ({ id, token }: One, given: { bearer?: string; hostname?: string } = {}) =>
  api.ask("POST", `/baram/probes/${id}/start`, {
    token: given.bearer ?? token,
    body: { token, hostname: given.hostname ?? "host-1", version: "1.2.3" },
  });
const end = ({ id }: One, token: string, logFault: string | null = null) =>
  api.ask("POST", `/baram/probes/${id}/end`, { token, body: { logFault } });
const write = (token: string, text: string) =>
  api.ask("POST", "/baram/logs", {
    token,
    body: { pieces: [{ token, session: randomUUID(), offset: 0, text, isEnd: true, isAnew: true }] },
  });
const lineOf = (id: string) =>
  `${JSON.stringify({ timestamp: "2026-01-01T00:00:00Z", level: "info", event: probeLogLine(id) })}\n`;

test("a worker starts its check, writes its line, and the API says that it can be read", async () => {
  const one = await make();
  const started = await start(one);
  expect(started.status).toBe(200);
  expect(await findProbe(database.store, one.id)).toEqual({
    hostname: "host-1",
    version: "1.2.3",
    hasLog: null,
    logFault: null,
  });
  const { token } = started.json as { token: string };
  expect((await write(token, lineOf(one.id))).json.pieces[0]).toHaveProperty("received");
  expect((await end(one, token)).status).toBe(200);
  expect(await findProbe(database.store, one.id)).toMatchObject({ hasLog: true, logFault: null });
});

test("a line that is not where the API reads logs is a fault that names the place, and a worker's own fault is kept", async () => {
  const one = await make();
  const { token } = (await start(one)).json as { token: string };
  await end(one, token);
  expect(await findProbe(database.store, one.id)).toMatchObject({
    hasLog: false,
    logFault: expect.stringMatching(/does not find it in .*same \[logging\] options/),
  });
  await end(one, token, "its disk is full");
  expect(await findProbe(database.store, one.id)).toMatchObject({ hasLog: false, logFault: "its disk is full" });
});

test("a check is answered by one worker, which may repeat its call, and by none when it is over", async () => {
  const one = await make();
  expect((await start(one)).status).toBe(200);
  expect((await start(one)).status).toBe(200);
  expect((await start(one, { hostname: "host-2" })).json.detail.reason).toBe("probe_not_found");
  const { token } = (await start(one)).json as { token: string };
  await removeProbe(database.store, one.id);
  expect((await start(one)).status).toBe(404);
  expect((await end(one, token)).status).toBe(404);
  const old = await make();
  await database.store.query("update executor_probe set created_at = now() - interval '2 days' where id = $1", [old.id]);
  expect((await start(old)).status).toBe(404);
});

test("through a broker, its token is worth nothing without a worker's own", async () => {
  const one = await make(true);
  expect((await start(one)).json.detail.reason).toBe("worker_token_needed");
  const bearer = await api.resources.tokens.sign("baram:worker", { subject: "etl-1" }, 60);
  expect((await start(one, { bearer })).status).toBe(200);
});

test("its token opens nothing else: no module, no task's call, no other check, no log before its start, nothing when it has expired", async () => {
  const one = await make();
  const other = await make();
  const { token: running } = (await start(one)).json as { token: string };
  for (const token of [one.token, running]) {
    expect((await api.ask("GET", `/baram/modules/${"0".repeat(64)}`, { token })).status).toBe(403);
    const call = { method: "getVariable", params: { key: "k" } };
    expect((await api.ask("POST", "/baram/call", { token, body: call })).status).toBe(401);
    expect((await api.ask("POST", `/baram/callbacks/${one.id}/start`, { token, body: {} })).status).toBe(401);
    expect((await api.ask("PATCH", `/task-instances/${one.id}/run`, { token, body: {} })).status).toBe(401);
    const items = [{ op: "run", id: one.id, token, hostname: "h", unixname: "u", pid: 1 }];
    expect((await api.ask("POST", "/baram/batch", { token, body: { items } })).json.items[0]).toMatchObject({ status: 401 });
    const tries = [{ id: one.id, token }];
    expect((await api.ask("POST", "/baram/heartbeat", { token, body: { tries } })).json).toMatchObject({ lost: [one.id] });
    expect((await end(other, token)).status).toBe(403);
    expect((await start({ ...other, token })).status).toBe(403);
  }
  expect((await write(one.token, "x")).json.pieces[0]).toMatchObject({ status: 403 });
  // The token of the log does not start it again.
  expect((await start({ ...one, token: running })).status).toBe(403);
  expect((await end(one, one.token)).status).toBe(403);
  const expired = await make(false, -1);
  expect((await start(expired)).status).toBe(401);
  const logPath = probeLogPath(one.id);
  const late = await api.resources.tokens.sign("baram:probe", { subject: one.id, logPath }, -1);
  const good = await api.resources.tokens.sign("baram:task", { subject: randomUUID() }, 60);
  const pieces = [{ token: late, session: randomUUID(), offset: 0, text: "x", isEnd: true }];
  expect((await api.ask("POST", "/baram/logs", { token: good, body: { pieces } })).json.pieces[0]).toMatchObject({ status: 401 });
});
