import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { backfillListShape, backfillShape, dryRunListShape } from "./shapes.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  const timetable = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
  const params = { limit: { value: 3, schema: { type: "integer", maximum: 10 } } };
  await saveDagFixture(database.store, { dagId: "d", displayName: "Daily", timetable, params });
  await saveDagFixture(database.store, { dagId: "manual" });
  await saveDagFixture(database.store, { dagId: "past", timetable, tasks: [{ taskId: "t", dependsOnPast: true }] });
});
afterAll(() => database.drop());

const SPAN = { dag_id: "d", from_date: "2024-01-01T00:00:00Z", to_date: "2024-01-03T00:00:00+00:00" };
const create = (body: object, as: "user" | "viewer" = "user") =>
  api.ask("POST", "/api/v2/backfills", { body: { ...SPAN, ...body }, as });
const put = (id: number, change: string) => api.ask("PUT", `/api/v2/backfills/${id}/${change}`, { as: "user" });
const events = async () =>
  (await api.get("/api/v2/eventLogs?order_by=id")).json.event_logs.map((line: { event: string }) => line.event);

test("a dry run names the dates in their order, and leaves neither a backfill nor a line in the audit log", async () => {
  const body = { ...SPAN, run_backwards: true };
  const { status, json } = await api.ask("POST", "/api/v2/backfills/dry_run", { body, as: "user" });
  expect(status).toBe(200);
  dryRunListShape.parse(json);
  expect(json).toEqual({
    backfills: ["03", "02", "01"].map((day) => ({
      logical_date: `2024-01-${day}T00:00:00.000Z`,
      partition_key: null,
      partition_date: null,
    })),
    total_entries: 3,
  });
  expect((await api.get("/api/v2/backfills?dag_id=d")).json).toEqual({ backfills: [], total_entries: 0 });
  expect(await events()).toEqual([]);
});

test("a backfill is created with its runs, listed, found, paused, unpaused and cancelled, each with a line in the audit log", async () => {
  const { status, json } = await create({ dag_run_conf: { limit: 4 }, max_active_runs: 2, reprocess_behavior: "failed" });
  expect(status).toBe(200);
  backfillShape.parse(json);
  expect(json).toMatchObject({
    dag_id: "d",
    dag_display_name: "Daily",
    from_date: "2024-01-01T00:00:00.000Z",
    to_date: "2024-01-03T00:00:00.000Z",
    dag_run_conf: { limit: 4 },
    is_paused: false,
    reprocess_behavior: "failed",
    max_active_runs: 2,
    completed_at: null,
  });
  const runs = (await api.get("/api/v2/dags/d/dagRuns?run_type=backfill&order_by=logical_date")).json;
  expect(runs.total_entries).toBe(3);
  expect(runs.dag_runs[0]).toMatchObject({
    dag_run_id: "backfill__2024-01-02T00:00:00+00:00",
    run_type: "backfill",
    triggered_by: "backfill",
    triggering_user_name: "a-user",
    state: "queued",
    conf: { limit: 4 },
  });
  expect((await api.get("/api/v2/dags/d/dagRuns?run_type=scheduled")).json.total_entries).toBe(0);
  const list = (await api.get("/api/v2/backfills?dag_id=d&order_by=-id&limit=1")).json;
  backfillListShape.parse(list);
  expect(list.backfills).toEqual([json]);
  expect((await api.get(`/api/v2/backfills/${json.id}`)).json).toEqual(json);
  expect((await create({})).status).toBe(409);
  expect((await put(json.id, "pause")).json.is_paused).toBe(true);
  expect((await put(json.id, "unpause")).json.is_paused).toBe(false);
  const cancelled = await put(json.id, "cancel");
  expect(cancelled.json.completed_at).not.toBeNull();
  for (const change of ["pause", "unpause", "cancel"]) expect((await put(json.id, change)).status).toBe(409);
  expect((await api.get("/api/v2/dags/d/dagRuns?state=failed")).json.total_entries).toBe(3);
  expect(await events()).toEqual(["create_backfill", "pause_backfill", "unpause_backfill", "cancel_backfill"]);
  const [line] = (await api.get("/api/v2/eventLogs?event=cancel_backfill")).json.event_logs;
  expect(line).toMatchObject({ owner: "a-user", dag_id: "d" });
});

test("requests that cannot be are refused with Airflow's status, naming the fault", async () => {
  for (const [body, status, words] of [
    [{ dag_id: "none" }, 404, '"none"'],
    [{ dag_id: "manual" }, 422, "no points in time"],
    [{ dag_id: "past", reprocess_behavior: "failed", run_backwards: true }, 422, "backwards"],
    [{ dag_id: "past" }, 422, "reprocess_behavior"],
    [{ from_date: "2024-01-05T00:00:00Z" }, 422, "after to_date"],
    [{ from_date: "2999-01-01T00:00:00Z", to_date: "2999-02-01T00:00:00Z" }, 422, "future"],
    [{ dag_run_conf: { limit: 11 } }, 422, "limit"],
    [{ max_active_runs: 0 }, 422, "max_active_runs"],
    [{ reprocess_behavior: "all" }, 422, "reprocess_behavior"],
    [{ from_date: null }, 422, "from_date"],
    [{ unknown: 1 }, 422, "unknown"],
  ] as const) {
    for (const path of ["/api/v2/backfills", "/api/v2/backfills/dry_run"]) {
      const answer = await api.ask("POST", path, { body: { ...SPAN, ...body } });
      expect(`${JSON.stringify(body)} ${answer.status}`).toBe(`${JSON.stringify(body)} ${status}`);
      expect(answer.text).toContain(words.replaceAll('"', '\\"'));
    }
  }
  expect((await api.get("/api/v2/backfills")).status).toBe(422);
  expect((await api.get("/api/v2/backfills/999")).status).toBe(404);
  for (const change of ["pause", "unpause", "cancel"]) expect((await put(999, change)).status).toBe(404);
  expect((await create({}, "viewer")).status).toBe(403);
});

test("a backfill from the year 0001, or of more runs at a time than can be counted, is refused", async () => {
  const old = await create({ from_date: "0001-01-01T00:00:00Z" });
  expect([old.status, old.json.detail]).toEqual([422, expect.stringContaining("1900 to 9999")]);
  expect((await create({ max_active_runs: Number.MAX_SAFE_INTEGER })).status).toBe(422);
});
