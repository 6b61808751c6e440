import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { silentLogger } from "../../../platform/index.ts";
import { openStore, saveImportError, startJob } from "../../../store/index.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
});
afterAll(() => database.drop());

test("version and health need no token; a role that never ran has no status", async () => {
  expect((await api.ask("GET", "/api/v2/version", { as: null })).json).toEqual({ version: "0.0.0-test", git_version: null });
  const { store } = database;
  await startJob(store, { type: "SchedulerJob", hostname: "h", pid: 1 });
  const silent = await startJob(store, { type: "DagProcessorJob", hostname: "h", pid: 2 });
  await store.query("update job set latest_heartbeat = now() - interval '5 minutes' where id = $1", [silent]);
  const { status, json } = await api.ask("GET", "/api/v2/monitor/health", { as: null });
  expect(status).toBe(200);
  expect(json).toMatchObject({
    metadatabase: { status: "healthy" },
    scheduler: { status: "healthy" },
    triggerer: { status: null, latest_triggerer_heartbeat: null },
    dag_processor: { status: "unhealthy" },
  });
  expect(json.scheduler.latest_scheduler_heartbeat).toMatch(/^\d{4}-/);
  const jobs = (await api.get("/api/v2/jobs?is_alive=true")).json;
  expect(jobs.jobs.map((job: { job_type: string }) => job.job_type)).toEqual(["SchedulerJob"]);
});

test("without its database the API says 503, and health says why", async () => {
  const address = { host: "127.0.0.1", port: 1, user: "x", password: "wrong-horse", database: "x" };
  const store = openStore({ address, poolSize: 1, retryWindowMs: 0, applicationName: "away", logger: silentLogger });
  const away = await createTestApi(store);
  const authorization = `Bearer ${await away.resources.tokens.sign("baram:user", { subject: "a", version: "1" }, 60)}`;
  const answer = await away.ask("GET", "/api/v2/dags", { as: null, headers: { authorization } });
  expect(answer.status).toBe(503);
  expect(answer.text).not.toContain("wrong-horse");
  expect((await away.ask("POST", "/auth/token", { as: null, body: { username: "a", password: "b" } })).status).toBe(503);
  const health = await away.ask("GET", "/api/v2/monitor/health", { as: null });
  expect([health.status, health.json.metadatabase.status]).toEqual([200, "unhealthy"]);
  await store.close();
});

test("a fault of the server is 500 without its reason, which the log has", async () => {
  const logged: object[] = [];
  const logger = { ...silentLogger, error: (facts: object) => logged.push(facts) };
  const dags = { get: () => Promise.reject(new Error("an inner secret")) };
  const broken = await createTestApi(database.store, { resources: { logger, dags } });
  await database.store.query(
    `insert into dag (dag_id, bundle_name, filename, is_paused, timetable_type, max_active_runs, max_active_tasks, schedule_hash, current_version_id)
     values ('x', 'dags', 'x.ts', false, 'null', 1, 1, 'h', gen_random_uuid())`,
  );
  const answer = await broken.get("/api/v2/dags/x/tasks");
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain("secret");
  expect(logged[0]).toMatchObject({ error: "an inner secret" });
});

test("import errors say file, line and message", async () => {
  await saveImportError(database.store, {
    bundleName: "dags",
    relativePath: "broken.ts",
    kind: "syntax",
    file: "helpers/rows.ts",
    line: 3,
    column: 7,
    message: 'Expected ";"',
    stacktrace: "",
  });
  const { json } = await api.get("/api/v2/importErrors?filename_pattern=broken");
  expect(json).toMatchObject({
    total_entries: 1,
    import_errors: [
      { filename: "broken.ts", bundle_name: "dags", stack_trace: 'helpers/rows.ts:3:7: Expected ";"', line: 3, kind: "syntax" },
    ],
  });
  const [{ import_error_id: id }] = json.import_errors;
  expect((await api.get(`/api/v2/importErrors/${id}`)).json.message).toBe('Expected ";"');
  expect((await api.get("/api/v2/importErrors/999999")).status).toBe(404);
  expect((await api.get("/api/v2/importErrors/99999999999999999999")).status).toBe(422);
});

test("pools are made, changed and removed, but the default one stays", async () => {
  const made = await api.ask("POST", "/api/v2/pools", { body: { name: "small", slots: 2 }, as: "op" });
  expect([made.status, made.json.open_slots]).toEqual([201, 2]);
  expect((await api.ask("POST", "/api/v2/pools", { body: { name: "small", slots: 2 } })).status).toBe(409);
  expect((await api.ask("POST", "/api/v2/pools", { body: { name: "huge", slots: 1e12 } })).status).toBe(422);
  expect((await api.ask("PATCH", "/api/v2/pools/small", { body: { slots: -1 } })).json).toMatchObject({
    slots: -1,
    open_slots: -1,
  });
  expect((await api.get("/api/v2/pools?pool_name_pattern=mal")).json.total_entries).toBe(1);
  expect((await api.ask("DELETE", "/api/v2/pools/small")).status).toBe(204);
  expect((await api.get("/api/v2/pools/small")).status).toBe(404);
  expect((await api.ask("DELETE", "/api/v2/pools/default_pool")).status).toBe(400);
});
