import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a", retries: 1, retryDelaySec: 60 }] });
});
afterAll(() => database.drop());

const piece = (offset: number, text: string) => ({ session: SESSION, offset, text, isEnd: false });
const SESSION = randomUUID();
const sendAll = (pieces: object[]) => api.ask("POST", "/baram/logs", { body: { pieces } });
/** As if it were the only one: a refusal of the piece is shown as the answer's. */
async function send(token: string, body: object = piece(0, "one\n")) {
  const { status, json } = await sendAll([{ token, ...body }]);
  const answer = status === 200 ? json.pieces[0] : json;
  return { status: answer.status ?? status, json: answer };
}
const stored = ({ runId }: TestTry, attempt = 1) => {
  const path = join(api.logFolder, `dag_id=d/run_id=${runId}/task_id=a/attempt=${attempt}.log`);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
};

/** Started as a supervisor starts it: its token says which log it may write. */
async function started(tryNumber = 1): Promise<TestTry> {
  const one = await api.queued("d", "a", { tryNumber });
  const item = { op: "run", id: one.id, token: one.workload, ...WORKER };
  const { json } = await api.ask("POST", "/baram/batch", { body: { items: [item] } });
  return { ...one, token: json.items[0].context.token };
}

test("a running try writes its own log, whatever else the request names", async () => {
  const one = await started(2);
  const answer = await send(one.token, { ...piece(0, "one\n"), path: "dag_id=x/attempt=1.log", logPath: "../../x" });
  expect(answer).toMatchObject({ status: 200, json: { received: 4 } });
  expect((await send(one.token)).json).toEqual({ received: 4, isMarked: false });
  expect(stored(one, 2)).toBe("one\n");
});

test("a try that has ended still writes its log, with a token that is overdue by less than an hour, and not after", async () => {
  const one = await started();
  const error = { name: "Error", message: "broken", stack: null };
  await api.finish(one, { state: "failed", retryable: true, error, xcoms: [] });
  expect((await api.instance(one)).id).not.toBe(one.id);
  const claims = { subject: one.id, logPath: `dag_id=d/run_id=${one.runId}/task_id=a/attempt=1.log` };
  const overdue = await api.resources.tokens.sign("baram:task", claims, -3_000);
  expect(await send(overdue)).toMatchObject({ status: 200, json: { received: 4 } });
  expect(stored(one)).toBe("one\n");
  const old = await api.resources.tokens.sign("baram:task", claims, -4_000);
  expect(await send(old, piece(4, "two\n"))).toMatchObject({ status: 401 });
  expect(stored(one)).toBe("one\n");
});

test("a token that a heartbeat renewed still opens the log", async () => {
  const one = await started();
  const claims = { subject: one.id, logPath: `dag_id=d/run_id=${one.runId}/task_id=a/attempt=1.log` };
  const aged = await api.resources.tokens.sign("baram:task", claims, 60);
  const { json } = await api.ask("POST", "/baram/heartbeat", { body: { tries: [{ id: one.id, token: aged }] } });
  expect(json.running[0].token).toBeTypeOf("string");
  expect(await send(json.running[0].token)).toMatchObject({ status: 200 });
});

test("a workload's token, a token without a log, and a body that does not fit are refused, and write nothing", async () => {
  const one = await started();
  const ofUser = await api.resources.tokens.sign("baram:user", { subject: one.id }, 60);
  for (const token of [one.workload, ofUser, "nonsense", ""]) expect((await send(token)).status).toBe(401);
  const without = await api.resources.tokens.sign("baram:task", { subject: one.id }, 60);
  expect(await send(without)).toMatchObject({ status: 403, json: { code: "token_of_another" } });
  for (const body of [
    { ...piece(0, "x"), session: "../../etc" },
    { ...piece(-1, "x") },
    { ...piece(0, "x"), text: 3 },
    { session: SESSION },
    { ...piece(0, "é".repeat(200_000)) },
  ])
    expect(await send(one.token, body)).toMatchObject({ status: 422, json: { code: "piece_invalid" } });
  expect(await send(one.token, piece(0, "x".repeat(2_000_000)))).toMatchObject({ status: 413 });
  expect(stored(one)).toBeNull();
});

test("pieces of several tries come in one call; one that is refused keeps no other from being written", async () => {
  const [one, two] = [await started(), await started()];
  const { status, json } = await sendAll([
    { token: one.token, ...piece(0, "one\n") },
    { token: "nonsense", ...piece(0, "x\n") },
    { token: two.token, ...piece(0, "two\n") },
  ]);
  expect(status).toBe(200);
  expect(json.pieces).toEqual([
    { received: 4, isMarked: false },
    expect.objectContaining({ status: 401, code: "token_invalid" }),
    { received: 4, isMarked: false },
  ]);
  expect([stored(one), stored(two)]).toEqual(["one\n", "two\n"]);
  const odd = [null, 3, { token: one.token }, { token: one.token, ...piece(4, "x".repeat(300_000)) }];
  const three = await started();
  const mixed = await sendAll([...odd, { token: three.token, ...piece(0, "three\n") }] as never);
  expect(mixed.json.pieces.map(({ status: at }: { status?: number }) => at)).toEqual([422, 422, 422, 422, undefined]);
  expect([one, two, three].map((each) => stored(each))).toEqual(["one\n", "two\n", "three\n"]);
});
