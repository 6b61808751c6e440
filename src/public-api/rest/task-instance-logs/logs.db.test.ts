import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { logPathOf } from "../../../scheduler/commands/index.ts";
import { createFolderSink } from "../../../task-logs/index.ts";

let database: TestDatabase;
let api: TestApi;
const path = (task: string, attempt = 1) => `/api/v2/dags/d/dagRuns/r/taskInstances/${task}/logs/${attempt}`;
const logLine = (event: string) =>
  JSON.stringify({ timestamp: "2024-01-31T00:00:00.000Z", level: "info", event, logger: "task" });
function write(task: string, text: string) {
  const file = join(api.logFolder, `dag_id=d/run_id=r/task_id=${task}/attempt=1.log`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "done" }, { taskId: "runs" }, { taskId: "waits" }, { taskId: "silent" }],
  });
  await api.ask("POST", "/api/v2/dags/d/dagRuns", { body: { dag_run_id: "r" } });
  await database.store.query("update task_instance set state = 'success', try_number = 1 where task_id in ('done', 'silent')");
  await database.store.query("update task_instance set state = 'running', try_number = 1 where task_id = 'runs'");
  write("done", `${logLine("one")}\nno JSON at all\n`);
  write("runs", `${logLine("so far")}\n{"half a li`);
});
afterAll(() => database.drop());

test("an ended try's log comes whole, without a token to go on with", async () => {
  const { status, json } = await api.get(path("done"));
  expect(status).toBe(200);
  expect(json.content).toEqual([
    { timestamp: "2024-01-31T00:00:00.000Z", level: "info", event: "one", logger: "task" },
    { level: "info", event: "no JSON at all" },
  ]);
  expect(json.continuation_token).toBeNull();
});

test("a running try's log is followed by its token, and a half line waits", async () => {
  const first = (await api.get(path("runs"))).json;
  expect(first.content.map((line: { event: string }) => line.event)).toEqual(["so far"]);
  expect(first.continuation_token).toBeTypeOf("string");
  write("runs", `${logLine("so far")}\n${logLine("and more")}\n`);
  const next = (await api.get(`${path("runs")}?token=${first.continuation_token}`)).json;
  expect(next.content.map((line: { event: string }) => line.event)).toEqual(["and more"]);
});

test("NDJSON is streamed by Accept", async () => {
  const headers = { accept: "application/x-ndjson" };
  const answer = await api.ask("GET", `${path("done")}?full_content=true`, { headers });
  expect(answer.headers.get("content-type")).toContain("application/x-ndjson");
  expect(
    answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event),
  ).toEqual(["one", "no JSON at all"]);
});

test("the log of a stopped try says who stopped it, also if no worker ran it", async () => {
  const dag = "/api/v2/dags/d";
  const tasks = ["queued", "deferred", "marked", "told"];
  await saveDagFixture(database.store, { dagId: "d2", tasks: tasks.map((taskId) => ({ taskId })) });
  await api.ask("POST", `${dag}2/dagRuns`, { body: { dag_run_id: "r" } });
  await database.store.query(
    "update task_instance set state = case task_id when 'told' then 'running' when 'marked' then 'running' else task_id end, try_number = 1 where dag_id = 'd2'",
  );
  const file = join(api.logFolder, "dag_id=d2/run_id=r/task_id=told/attempt=1.log");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${logLine('no longer assigned to this worker: marked success by "a-user"; its process is stopped')}\n`);
  const body = { dag_run_id: "r", dry_run: false, only_failed: false, task_ids: ["queued", "deferred"] };
  await api.ask("POST", `${dag}2/clearTaskInstances`, { body, as: "user" });
  for (const task of ["marked", "told"])
    await api.ask("PATCH", `${dag}2/dagRuns/r/taskInstances/${task}`, { body: { new_state: "success" }, as: "user" });
  const logOf = async (task: string) => (await api.get(`${dag}2/dagRuns/r/taskInstances/${task}/logs/1`)).json;
  const saidOf = async (task: string) => (await logOf(task)).content.map((line: { event: string }) => line.event);
  expect(await saidOf("queued")).toContain('The try was ended: cleared by "a-user".');
  expect(await saidOf("deferred")).toContain('The try was ended: cleared by "a-user".');
  expect(await saidOf("marked")).toContain('The try was ended: marked success by "a-user".');
  expect(await saidOf("told"), "once is enough").toEqual([
    'no longer assigned to this worker: marked success by "a-user"; its process is stopped',
  ]);
  expect((await logOf("marked")).continuation_token).toBeNull();
  const headers = { accept: "application/x-ndjson" };
  const streamed = await api.ask("GET", `${dag}2/dagRuns/r/taskInstances/marked/logs/1`, { headers });
  expect(
    streamed.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event),
  ).toEqual(['The try was ended: marked success by "a-user".']);
});

test("a large log comes in fragments, or whole when asked for", async () => {
  const lines = Array.from({ length: 30_000 }, (_, n) => logLine(`line ${n} ${"x".repeat(20)}`));
  write("done", `${lines.join("\n")}\n`);
  const first = (await api.get(path("done"))).json;
  expect(first.content.length).toBeLessThan(30_000);
  let seen = first.content.length;
  for (let token = first.continuation_token; token !== null; ) {
    const page = (await api.get(`${path("done")}?token=${token}`)).json;
    seen += page.content.length;
    token = page.continuation_token;
  }
  expect(seen).toBe(30_000);
  expect((await api.get(`${path("done")}?full_content=true`)).json.content).toHaveLength(30_000);
  const headers = { accept: "application/x-ndjson" };
  const streamed = await api.ask("GET", `${path("done")}?full_content=true`, { headers });
  expect(streamed.text.trim().split("\n")).toHaveLength(30_000);
});

test("the log of a task whose ids are as long as they may be is written and read", async () => {
  const [dagId, runId, taskId] = ["d", "r", "t"].map((letter) => letter.repeat(250)) as [string, string, string];
  await saveDagFixture(database.store, { dagId, tasks: [{ taskId }] });
  await api.ask("POST", `/api/v2/dags/${dagId}/dagRuns`, { body: { dag_run_id: runId } });
  await database.store.query("update task_instance set state = 'success', try_number = 1 where dag_id = $1", [dagId]);
  const append = createFolderSink(api.logFolder).open(logPathOf({ dagId, runId, taskId, mapIndex: -1, tryNumber: 1 }));
  await append(`${logLine("long")}\n`);
  const { status, json } = await api.get(`/api/v2/dags/${dagId}/dagRuns/${runId}/taskInstances/${taskId}/logs/1`);
  expect(status).toBe(200);
  expect(json.content.map((line: { event: string }) => line.event)).toEqual(["long"]);
});

test("a task that puts a link to a secret into the place of its log, or of a folder of it, shows nobody the secret", async () => {
  const log = join(api.logFolder, "dag_id=d/run_id=r/task_id=silent/attempt=1.log");
  const secret = join(api.logFolder, "..", `jwt_secret-${process.pid}`, "attempt=1.log");
  mkdirSync(dirname(secret), { recursive: true });
  writeFileSync(secret, "the signing key\n");
  mkdirSync(dirname(log), { recursive: true });
  for (const bait of [() => symlinkSync(secret, log), () => symlinkSync(dirname(secret), dirname(log))]) {
    bait();
    for (const headers of [{ accept: "application/json" }, { accept: "application/x-ndjson" }]) {
      const { status, text } = await api.ask("GET", path("silent"), { headers });
      expect(status).toBe(200);
      expect(text).toMatch(/The log is not shown: .*symbolic link/);
      expect(text).not.toContain("signing key");
    }
    renameSync(dirname(log), `${dirname(log)}.away`);
    rmSync(`${dirname(log)}.away`, { recursive: true });
  }
  rmSync(dirname(secret), { recursive: true });
});

test("what no path can name is refused when it is made, with the reason", async () => {
  const asks = [
    ["/api/v2/dags/d/dagRuns", { dag_run_id: "." }],
    ["/api/v2/dags/d/dagRuns", { dag_run_id: "~" }],
    ["/api/v2/variables", { key: "..", value: "x" }],
    ["/api/v2/pools", { name: ".", slots: 1 }],
    ["/api/v2/connections", { connection_id: "..", conn_type: "http" }],
  ] as const;
  for (const [path, body] of asks) {
    const { status, text } = await api.ask("POST", path, { body });
    expect([path, status]).toEqual([path, 422]);
    expect(text).toMatch(/not be '\.' or/);
  }
});

test("a forged token, or one of another log, is 400", async () => {
  const other = (await api.get(path("runs"))).json.continuation_token;
  for (const token of [
    other,
    "nonsense",
    Buffer.from("../../etc/passwd").toString("base64url"),
    Buffer.from("-5.0000").toString("base64url"),
  ])
    expect((await api.get(`${path("done")}?token=${token}`)).status).toBe(400);
});

test("a try that never was is 404, and an ended one without a log says so", async () => {
  expect((await api.get(path("waits"))).status).toBe(404);
  expect((await api.get(path("done", 2))).status).toBe(404);
  expect((await api.get("/api/v2/dags/d/dagRuns/..%2f..%2fx/taskInstances/done/logs/1")).status).toBe(422);
  const silent = (await api.get(path("silent"))).json;
  expect(silent.content[0].event).toContain("no log");
  expect(silent.continuation_token).toBeNull();
});
