import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createDagCache } from "../dag-cache.ts";
import { createDagRun, deleteDagRun, markRun, removeDag } from "../index.ts";
import { BACKFILL_DATES_MAX } from "./backfill-dates.ts";
import { changeBackfill } from "./change-backfill.ts";
import { type BackfillRequest, createBackfill, tryBackfill } from "./create-backfill.ts";
import { fillBackfill } from "./fill-backfill.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const NOW = new Date("2025-06-10T12:00:00Z");
const DAILY = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
const day = (number: number) => new Date(`2025-06-${String(number).padStart(2, "0")}T00:00:00Z`);

const asked = (given: Partial<BackfillRequest> = {}): BackfillRequest => ({
  dagId: "d",
  fromDate: day(1),
  toDate: day(5),
  dagRunConf: null,
  reprocessBehavior: "none",
  maxActiveRuns: 10,
  runBackwards: false,
  runOnLatestVersion: true,
  triggeringUserName: "ada",
  ...given,
});
const resources = () => ({ store: database.store, dags: createDagCache(), defaultExecutor: "LocalExecutor" });
const create = (given: Partial<BackfillRequest> = {}, now = NOW) => createBackfill(resources(), asked(given), now);
const dryRun = async (given: Partial<BackfillRequest> = {}) =>
  (await tryBackfill(resources(), asked(given), NOW)).map((date) => date.logicalDate.toISOString());
const saveDaily = (more: object = {}) => saveDagFixture(database.store, { dagId: "d", timetable: DAILY, ...more });

type DateRow = { date: string; run: string | null; reason: string | null; state: string | null; type: string | null };
async function datesOf(id: number): Promise<DateRow[]> {
  const { rows } = await database.store.query<DateRow>(
    `select to_char(b.logical_date at time zone 'UTC', 'MM-DD"T"HH24:MI') as date, r.run_id as run, b.exception_reason as reason, r.state, r.run_type as type
       from backfill_dag_run b left join dag_run r on r.id = b.dag_run_id where b.backfill_id = $1 order by b.sort_ordinal`,
    [id],
  );
  return rows;
}
const runCount = async () =>
  (await database.store.query<{ count: number }>("select count(*)::int as count from dag_run")).rows[0]?.count;

/** A run of that date in that state. */
async function runAt(date: Date, state: string, conf = {}): Promise<string> {
  const request = { dagId: "d", logicalDate: date, runType: "scheduled" as const, triggeredBy: "timetable" as const, conf };
  const { runId } = await createDagRun(database.store, createDagCache(), "LocalExecutor", request, NOW);
  await database.store.query("update dag_run set state = $2, start_date = now(), end_date = now() where run_id = $1", [
    runId,
    state,
  ]);
  if (state === "success" || state === "failed")
    await database.store.query("update task_instance set state = $2, try_number = 1 where run_id = $1", [runId, state]);
  return runId;
}

test("every date of the schedule in the span gets one queued run, and the bounds belong to the span", async () => {
  await saveDaily();
  const id = await create({ dagRunConf: { limit: 7 } });
  const rows = await datesOf(id);
  expect(rows.map((row) => row.date)).toEqual(["06-01T00:00", "06-02T00:00", "06-03T00:00", "06-04T00:00", "06-05T00:00"]);
  expect(new Set(rows.map((row) => `${row.state} ${row.type} ${row.reason}`))).toEqual(new Set(["queued backfill null"]));
  expect(rows[0]?.run).toBe("backfill__2025-06-02T00:00:00+00:00");
  const { rows: runs } = await database.store.query(
    "select data_interval_start, data_interval_end, conf, triggered_by, triggering_user_name, backfill_id from dag_run order by logical_date limit 1",
  );
  expect(runs).toEqual([
    {
      data_interval_start: day(1),
      data_interval_end: day(2),
      conf: { limit: 7 },
      triggered_by: "backfill",
      triggering_user_name: "ada",
      backfill_id: id,
    },
  ]);
  const { rows: tasks } = await database.store.query("select 1 from task_instance");
  expect(tasks).toHaveLength(10);
});

test("the dates are those of the timetable, the newest first when backwards, and none whose interval has not ended", async () => {
  await saveDaily();
  expect((await dryRun({ fromDate: day(8), toDate: day(30), runBackwards: true })).map((date) => date.slice(8, 10))).toEqual([
    "09",
    "08",
  ]);
  await saveDagFixture(database.store, { dagId: "delta", timetable: { type: "delta", seconds: 21_600, intervals: false } });
  expect(await dryRun({ dagId: "delta", fromDate: day(1), toDate: day(1) })).toEqual(["2025-06-01T00:00:00.000Z"]);
  expect(await dryRun({ dagId: "delta", fromDate: day(1), toDate: day(2) })).toHaveLength(5);
  await saveDagFixture(database.store, {
    dagId: "summer",
    timetable: { type: "cron", expression: "0 3 * * *", timezone: "Europe/Zurich", intervals: false },
  });
  const spring = { dagId: "summer", fromDate: new Date("2025-03-29T00:00Z"), toDate: new Date("2025-03-31T00:00Z") };
  expect(await dryRun(spring)).toEqual(["2025-03-29T02:00:00.000Z", "2025-03-30T01:00:00.000Z"]);
});

test("a bare last date means that whole day, in the DAG's zone; a bare first date its beginning", async () => {
  const timetable = { type: "cron", expression: "0 6 * * *", timezone: "UTC", intervals: false };
  await saveDagFixture(database.store, { dagId: "morning", timetable });
  const dates = await dryRun({ dagId: "morning", fromDate: "2025-06-03", toDate: "2025-06-05" });
  expect(dates).toEqual(["2025-06-03T06:00:00.000Z", "2025-06-04T06:00:00.000Z", "2025-06-05T06:00:00.000Z"]);
  expect(await dryRun({ dagId: "morning", fromDate: "2025-06-03", toDate: "2025-06-05 00:00" })).toHaveLength(2);
  const seoul = { ...timetable, expression: "0 23 * * *", timezone: "Asia/Seoul" };
  await saveDagFixture(database.store, { dagId: "night", timetable: seoul, timezone: "Asia/Seoul" });
  const id = await create({ dagId: "night", fromDate: "2025-06-03", toDate: "2025-06-03" });
  expect((await datesOf(id)).map(({ date }) => date)).toEqual(["06-03T14:00"]);
  const { rows } = await database.store.query("select from_date, to_date from backfill where id = $1", [id]);
  expect(rows).toEqual([{ from_date: new Date("2025-06-02T15:00:00Z"), to_date: new Date("2025-06-03T14:59:59.999Z") }]);
});

test("what cannot be backfilled is refused by name, and nothing is written", async () => {
  await saveDaily({ params: { limit: { value: 3, schema: { type: "integer", maximum: 10 } } } });
  await saveDagFixture(database.store, { dagId: "past", timetable: DAILY, tasks: [{ taskId: "t", dependsOnPast: true }] });
  await saveDagFixture(database.store, { dagId: "waits", timetable: DAILY, tasks: [{ taskId: "t", waitForDownstream: true }] });
  await saveDagFixture(database.store, { dagId: "minutely", timetable: { ...DAILY, expression: "* * * * *", intervals: false } });
  await saveDagFixture(database.store, { dagId: "stale", timetable: DAILY });
  await database.store.query("update dag set is_stale = true where dag_id = 'stale'");
  for (const type of ["null", "once", "continuous"]) await saveDagFixture(database.store, { dagId: type, timetable: { type } });
  const refusals: [Partial<BackfillRequest>, string, string][] = [
    [{ dagId: "none" }, "dag_not_found", "none"],
    [{ dagId: "stale" }, "dag_stale", "stale"],
    [{ dagId: "null" }, "backfill_impossible", "names no points in time"],
    [{ dagId: "once" }, "backfill_impossible", "names no points in time"],
    [{ dagId: "continuous" }, "backfill_impossible", "names no points in time"],
    [{ fromDate: day(5), toDate: day(1) }, "backfill_impossible", "after to_date"],
    [{ fromDate: day(20), toDate: day(25) }, "backfill_impossible", "future"],
    [{ fromDate: new Date("2025-06-01T06:00Z"), toDate: new Date("2025-06-01T18:00Z") }, "backfill_impossible", "no date"],
    [{ dagId: "past", runBackwards: true, reprocessBehavior: "failed" }, "backfill_impossible", "backwards"],
    [{ dagId: "waits", runBackwards: true, reprocessBehavior: "failed" }, "backfill_impossible", "backwards"],
    [{ dagId: "past" }, "backfill_impossible", "reprocess_behavior"],
    [{ dagRunConf: { limit: 11 } }, "conf_invalid", "limit"],
    [{ dagId: "minutely", fromDate: new Date("2024-06-01"), toDate: day(1) }, "too_many_runs", String(BACKFILL_DATES_MAX)],
  ];
  for (const [given, code, words] of refusals) {
    const error = { code, message: expect.stringContaining(words) };
    await expect(create(given), JSON.stringify(given)).rejects.toMatchObject(error);
    await expect(dryRun(given), JSON.stringify(given)).rejects.toMatchObject(error);
  }
  expect(await runCount()).toBe(0);
  expect((await database.store.query("select 1 from backfill")).rows).toEqual([]);
  await create({ dagId: "past", reprocessBehavior: "failed" });
});

const LEFT = { missing: null, success: "already exists", failed: "already exists", running: "in flight", queued: "in flight" };
for (const [behavior, expected] of Object.entries({
  none: LEFT,
  failed: { ...LEFT, failed: null },
  completed: { ...LEFT, failed: null, success: null },
}) as [BackfillRequest["reprocessBehavior"], typeof LEFT][]) {
  test(`reprocess_behavior ${behavior}: each date gets a run or the reason, and a dry run says the same before`, async () => {
    await saveDaily();
    const kept: Record<string, string> = {};
    for (const [at, state] of ["missing", "success", "failed", "running", "queued"].entries())
      if (state !== "missing") kept[state] = await runAt(day(at + 1), state);
    const foretold = await dryRun({ reprocessBehavior: behavior });
    expect(await runCount()).toBe(4);
    const rows = await datesOf(await create({ reprocessBehavior: behavior, dagRunConf: { why: "again" } }));
    const states = ["missing", "success", "failed", "running", "queued"] as const;
    expect(Object.fromEntries(states.map((state, at) => [state, rows[at]?.reason]))).toEqual(expected);
    expect(foretold).toEqual(states.flatMap((state, at) => (expected[state] === null ? day(at + 1).toISOString() : [])));
    expect(await runCount()).toBe(5);
    for (const [at, state] of states.entries()) {
      if (state === "missing" || expected[state] !== null) continue;
      expect(rows[at]).toMatchObject({ run: kept[state], state: "queued", type: "backfill" });
      const { rows: again } = await database.store.query(
        `select r.conf, r.triggered_by, r.clear_number, (select array_agg(distinct coalesce(t.state, 'none')) from task_instance t where t.dag_run_id = r.id) as states,
                (select count(*)::int from task_instance_history h where h.dag_run_id = r.id) as history
           from dag_run r where run_id = $1`,
        [kept[state]],
      );
      expect(again).toEqual([
        { conf: { why: "again" }, triggered_by: "backfill", clear_number: 1, states: ["none"], history: 2 },
      ]);
    }
    for (const state of ["running", "queued"]) {
      const { rows: left } = await database.store.query("select state, run_type, backfill_id from dag_run where run_id = $1", [
        kept[state],
      ]);
      expect(left).toEqual([{ state, run_type: "scheduled", backfill_id: null }]);
    }
  });
}

test("a run that runs again takes the current version's tasks, or keeps its own when asked to", async () => {
  const first = await saveDaily({ tasks: [{ taskId: "kept" }, { taskId: "gone" }] });
  for (const at of [1, 2]) await runAt(day(at), "failed");
  const second = await saveDaily({ tasks: [{ taskId: "kept", pool: "wide", retries: 2 }, { taskId: "added" }] });
  const tasksOf = async (at: number) =>
    (
      await database.store.query(
        `select t.task_id as task, t.state, t.pool, t.max_tries as max, t.dag_version_id as version from task_instance t join dag_run r on r.id = t.dag_run_id
          where r.logical_date = $1 order by 1`,
        [day(at)],
      )
    ).rows;
  const versionOf = async (at: number) =>
    (await database.store.query("select created_dag_version_id as id from dag_run where logical_date = $1", [day(at)])).rows[0]
      ?.id;
  await create({ toDate: day(1), reprocessBehavior: "failed" });
  expect(await versionOf(1)).toBe(second);
  expect(await tasksOf(1)).toEqual([
    { task: "added", state: null, pool: "default_pool", max: 0, version: second },
    { task: "gone", state: "removed", pool: "default_pool", max: 1, version: first },
    { task: "kept", state: null, pool: "wide", max: 3, version: second },
  ]);
  await database.store.query("update backfill set completed_at = now()");
  await create({ fromDate: day(2), toDate: day(2), reprocessBehavior: "failed", runOnLatestVersion: false });
  expect(await versionOf(2)).toBe(first);
  expect(await tasksOf(2)).toMatchObject([
    { task: "gone", state: null },
    { task: "kept", state: null, version: first },
  ]);
});

test("of two backfills created at once there is one, and the other is refused until it has ended", async () => {
  await saveDaily();
  const both = await Promise.allSettled([create(), create({ fromDate: day(6), toDate: day(7) })]);
  const refused = both.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(refused).toMatchObject([{ code: "backfill_running" }]);
  const [made] = both.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  await expect(create({ fromDate: day(8), toDate: day(8) })).rejects.toMatchObject({ code: "backfill_running" });
  await changeBackfill(database.store, made ?? 0, "cancel", { user: "ada" });
  await create({ fromDate: day(8), toDate: day(8) });
});

test("a date that somebody triggers in the same moment has one run, and the backfill goes on without it", async () => {
  await saveDaily();
  const other = database.open();
  let finish = () => {};
  const open = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let isTriggered = () => {};
  const triggered = new Promise<void>((resolve) => {
    isTriggered = resolve;
  });
  const trigger = other.transaction(async (tx) => {
    const request = { dagId: "d", logicalDate: day(2), triggeredBy: "rest_api" as const };
    await createDagRun(tx, createDagCache(), "LocalExecutor", request, NOW);
    isTriggered();
    await open;
  });
  await triggered;
  const creating = create();
  await expect
    .poll(async () => {
      const { rows } = await database.store.query(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length;
    })
    .toBeGreaterThan(0);
  finish();
  await trigger;
  expect((await datesOf(await creating)).map((row) => row.reason)).toEqual([null, "in flight", null, null, null]);
  expect(await runCount()).toBe(5);
});

test("a backfill for which no run was made is completed at once", async () => {
  await saveDaily();
  await runAt(day(1), "success");
  await create({ toDate: day(1) });
  expect((await database.store.query("select completed_at is not null as done from backfill")).rows).toEqual([{ done: true }]);
});

test("a cancelled backfill's queued runs fail, those that run go on, and nothing more can be done to it", async () => {
  await saveDaily();
  const id = await create();
  await database.store.query("update dag_run set state = 'running' where logical_date = $1", [day(1)]);
  await changeBackfill(database.store, id, "cancel", { user: "ada" });
  expect((await datesOf(id)).map((row) => row.state)).toEqual(["running", "failed", "failed", "failed", "failed"]);
  const { rows } = await database.store.query("select is_paused, completed_at is not null as done from backfill");
  expect(rows).toEqual([{ is_paused: true, done: true }]);
  for (const change of ["pause", "unpause", "cancel"] as const) {
    await expect(changeBackfill(database.store, id, change, { user: "ada" })).rejects.toMatchObject({
      code: "backfill_completed",
    });
    await expect(changeBackfill(database.store, 999, change, { user: "ada" })).rejects.toMatchObject({
      code: "backfill_not_found",
    });
  }
  await markRun(database.store, createDagCache(), "d", "backfill__2025-06-02T00:00:00+00:00", "success", { user: "ada" });
});

test("a run of an active backfill that is deleted is not made again, and a DAG is deleted with its backfills", async () => {
  await saveDaily();
  const id = await create();
  await deleteDagRun(database.store, "d", "backfill__2025-06-02T00:00:00+00:00");
  await fillBackfill(resources(), id, { now: NOW });
  expect((await datesOf(id)).map((row) => row.state)).toEqual([null, "queued", "queued", "queued", "queued"]);
  await removeDag(database.store, "d");
  const { rows } = await database.store.query(
    "select (select count(*) from backfill)::int as backfills, (select count(*) from backfill_dag_run)::int as dates",
  );
  expect(rows).toEqual([{ backfills: 0, dates: 0 }]);
});
