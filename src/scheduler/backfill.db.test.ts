import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import { createGate, createRig, createSchedulerDatabase, type Rig, trigger } from "../../tests/support/scheduler-rig.ts";
import { sleep } from "../platform/index.ts";
import { lastScheduledRun } from "../store/index.ts";
import { checkBackfills } from "./check-backfills.ts";
import { type BackfillRequest, createBackfill, openBackfill } from "./commands/backfill/create-backfill.ts";
import { changeBackfill, clearRun, createDagCache, markRun, type Scheduler } from "./index.ts";
import { adoptOrphans } from "./recover.ts";

let database: TestDatabase;
let schedulers: Scheduler[] = [];
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(async () => {
  await Promise.all(schedulers.map((one) => one.stop()));
  schedulers = [];
  await database.drop();
});

const DAILY = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
const day = (number: number) => new Date(Date.UTC(2025, 0, number));
const NOW = new Date("2025-12-01T00:00:00Z");

const save = (more: object = {}, row = {}) =>
  saveDagFixture(database.store, { dagId: "d", timetable: DAILY, tasks: [{ taskId: "t" }], ...more }, row);
const asked = (given: Partial<BackfillRequest> = {}): BackfillRequest => ({
  dagId: "d",
  fromDate: day(1),
  toDate: day(6),
  dagRunConf: null,
  reprocessBehavior: "none",
  maxActiveRuns: 2,
  runBackwards: false,
  runOnLatestVersion: true,
  triggeringUserName: null,
  ...given,
});
const resources = () => ({ store: database.store, dags: createDagCache(), defaultExecutor: "LocalExecutor" });
const create = (given: Partial<BackfillRequest> = {}) => createBackfill(resources(), asked(given), NOW);

/** States of the backfill's runs in the order of their dates. */
async function statesOf(): Promise<string[]> {
  const { rows } = await database.store.query<{ state: string }>(
    "select state from dag_run where run_type = 'backfill' order by logical_date",
  );
  return rows.map((row) => row.state);
}
async function isCompleted(id: number): Promise<boolean> {
  const { rows } = await database.store.query<{ done: boolean }>(
    "select completed_at is not null as done from backfill where id = $1",
    [id],
  );
  return rows[0]?.done ?? false;
}
/** Days of January in the order in which tasks of their runs were handed over. */
const handedDays = (rig: Rig) => rig.executor.handed.map(({ ti }) => Number(/backfill__2025-01-(\d+)/.exec(ti.runId)?.[1]) - 1);
const SIX = Array.from({ length: 6 }, () => "success");

test("runs start in the order of their dates, and the backfill is completed with the last one", async () => {
  await save();
  const id = await create({ maxActiveRuns: 1 });
  const rig = await createRig(database);
  await rig.drain();
  expect(handedDays(rig)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await statesOf()).toEqual(SIX);
  expect(await isCompleted(id)).toBe(true);
});

test("backwards, the newest date runs first", async () => {
  await save();
  await create({ maxActiveRuns: 1, runBackwards: true });
  const rig = await createRig(database);
  await rig.drain();
  expect(handedDays(rig)).toEqual([6, 5, 4, 3, 2, 1]);
});

test("with two schedulers a backfill's limit and its DAG's hold at every moment, and neither takes from the other", async () => {
  await save({ maxActiveRuns: 1 });
  await save({ dagId: "other" });
  const ids = [await create({ toDate: day(16), maxActiveRuns: 3 }), await create({ dagId: "other", maxActiveRuns: 2 })];
  for (let at = 0; at < 5; at++) await trigger(database.store, "d");
  const work = async () => {
    await sleep(Math.random() * 6);
    return SUCCESS;
  };
  const rigs = [await createRig(database, { work, startsFirst: true }), await createRig(database, { work, startsFirst: true })];
  const watcher = database.open();
  const LIMITS = { d: 3, other: 2, normal: 1, together: 4 };
  const highest = { d: 0, other: 0, normal: 0, together: 0 };
  let samples = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      const { rows } = await watcher.query<typeof highest>(
        `select count(*) filter (where dag_id = 'd' and backfill_id is not null)::int as d, count(*) filter (where dag_id = 'other')::int as other,
                count(*) filter (where backfill_id is null)::int as normal, count(*) filter (where dag_id = 'd')::int as together
           from dag_run where state = 'running'`,
      );
      samples++;
      for (const key of Object.keys(highest) as (keyof typeof highest)[])
        highest[key] = Math.max(highest[key], rows[0]?.[key] ?? 0);
    }
  })();
  schedulers = await Promise.all(rigs.map((rig) => rig.start()));
  await expect.poll(async () => (await Promise.all(ids.map(isCompleted))).every(Boolean), { timeout: 15_000 }).toBe(true);
  await expect
    .poll(async () => (await database.store.query("select 1 from dag_run where state <> 'success'")).rows.length)
    .toBe(0);
  watching = false;
  await watch;
  expect(samples).toBeGreaterThan(20);
  for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) expect(highest[key], key).toBeLessThanOrEqual(LIMITS[key]);
  // What the samples may have missed: how many ran when each run started.
  const { rows: reached } = await database.store.query(
    `select max(d)::int as d, max(other)::int as other, max(normal)::int as normal, max(d + normal)::int as together
       from (select count(*) filter (where y.dag_id = 'd' and y.backfill_id is not null) as d, count(*) filter (where y.dag_id = 'other') as other,
                    count(*) filter (where y.backfill_id is null) as normal
               from dag_run x join dag_run y on y.start_date <= x.start_date and y.end_date > x.start_date group by x.id) running`,
  );
  expect(reached).toEqual([LIMITS]);
  const tries = rigs.flatMap((rig) => rig.executor.handed.map(({ ti }) => ti.id));
  expect(new Set(tries).size).toBe(16 + 6 + 5);
  expect(tries).toHaveLength(16 + 6 + 5);
}, 30_000);

test("a DAG at its limit starts a backfill's runs, and one whose backfill is at its limit starts its other runs", async () => {
  await save({ maxActiveRuns: 1 });
  const rig = await createRig(database, { work: () => null });
  const running = async () =>
    (await database.store.query("select run_type as type from dag_run where state = 'running' order by id")).rows;
  await trigger(database.store, "d");
  await rig.pass();
  await create();
  await rig.pass();
  expect(await running()).toEqual([{ type: "manual" }, { type: "backfill" }, { type: "backfill" }]);
  await markRun(database.store, createDagCache(), "d", rig.executor.handed[0]?.ti.runId ?? "", "success", { user: "ada" });
  for (let at = 0; at < 2; at++) await trigger(database.store, "d");
  await rig.pass();
  expect(await running()).toEqual([{ type: "backfill" }, { type: "backfill" }, { type: "manual" }]);
});

test("a paused backfill starts nothing; what runs goes on, and unpaused it goes on to its end", async () => {
  await save();
  const id = await create();
  let hold = true;
  const rig = await createRig(database, { work: () => (hold ? null : SUCCESS) });
  await rig.pass();
  expect(await statesOf()).toEqual(["running", "running", "queued", "queued", "queued", "queued"]);
  await changeBackfill(database.store, id, "pause", { user: "ada" });
  await changeBackfill(database.store, id, "pause", { user: "ada" });
  for (const [at, runId] of rig.executor.handed.map(({ ti }) => ti.runId).entries())
    await markRun(database.store, createDagCache(), "d", runId, at === 0 ? "success" : "failed", { user: "ada" });
  hold = false;
  await rig.drain();
  expect(await statesOf()).toEqual(["success", "failed", "queued", "queued", "queued", "queued"]);
  await checkBackfills(rig.resources, rig.options);
  expect(await isCompleted(id)).toBe(false);
  await changeBackfill(database.store, id, "unpause", { user: "ada" });
  await rig.drain();
  expect(await statesOf()).toEqual(["success", "failed", "success", "success", "success", "success"]);
  expect(await isCompleted(id)).toBe(true);
});

test("a paused DAG's backfill waits, as its other runs do", async () => {
  await save({}, { isPaused: true });
  await create();
  const rig = await createRig(database);
  await rig.drain();
  expect(rig.executor.handed).toEqual([]);
  await database.store.query("update dag set is_paused = false");
  await rig.drain();
  expect(await statesOf()).toEqual(SIX);
});

test("cancelled in the middle, the runs that run end on their own, the others fail without a task, and a cleared one runs", async () => {
  await save();
  const id = await create();
  let finish = () => {};
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const rig = await createRig(database, {
    work: async () => {
      await held;
      return SUCCESS;
    },
  });
  await rig.pass();
  await changeBackfill(database.store, id, "cancel", { user: "ada" });
  finish();
  await rig.drain();
  await rig.executor.settled();
  await rig.drain();
  expect(await statesOf()).toEqual(["success", "success", "failed", "failed", "failed", "failed"]);
  const { rows: notes } = await database.store.query("select distinct note, state from dag_run order by state");
  expect(notes).toEqual([
    { note: `Failed: its backfill ${id} was cancelled by "ada".`, state: "failed" },
    { note: null, state: "success" },
  ]);
  expect(rig.executor.handed).toHaveLength(2);
  // A completed backfill starts nothing: cleared, its run counts as one of the DAG's.
  await clearRun(database.store, "d", "backfill__2025-01-04T00:00:00+00:00", { user: "ada" });
  await rig.drain();
  expect(await statesOf()).toEqual(["success", "success", "success", "failed", "failed", "failed"]);
});

test("at one priority other runs' tasks go first; a higher priority goes before both", async () => {
  await save({ tasks: [{ taskId: "t" }, { taskId: "urgent", priorityWeight: 5 }] });
  await save({ dagId: "other" });
  await create({ toDate: day(2) });
  // Their time comes long after the backfill's.
  for (let at = 0; at < 2; at++) await trigger(database.store, "other");
  const rig = await createRig(database, { settings: { maxInstancesPerQuery: 1 } });
  await rig.drain();
  expect(rig.executor.handed.map(({ ti }) => `${ti.dagId}.${ti.taskId}`)).toEqual([
    "d.urgent",
    "d.urgent",
    "other.t",
    "other.t",
    "d.t",
    "d.t",
  ]);
});

async function setNext(date: Date, dagId = "d"): Promise<void> {
  await database.store.query(
    `update dag set next_dagrun = $2::timestamptz, next_dagrun_data_interval_start = $2::timestamptz,
            next_dagrun_data_interval_end = $2::timestamptz + interval '1 day', next_dagrun_create_after = $2::timestamptz + interval '1 day'
      where dag_id = $1`,
    [dagId, date],
  );
}
async function runsPerDate(): Promise<number[]> {
  const { rows } = await database.store.query<{ count: number }>(
    "select count(*)::int as count from dag_run where dag_id = 'd' group by logical_date order by logical_date",
  );
  return rows.map((row) => row.count);
}
async function waitForLock(): Promise<void> {
  await expect
    .poll(async () => {
      const { rows } = await database.store.query(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length;
    })
    .toBeGreaterThan(0);
}

test("a date that the schedule creates in the same moment has one run: the schedule's, and the backfill gives the reason", async () => {
  await save({ catchup: true });
  await setNext(day(3));
  const gate = createGate();
  const rig = await createRig(database, { pause: (at) => (at === "after-due-dags" ? gate.pass() : Promise.resolve()) });
  const passing = rig.pass();
  await gate.entered;
  const creating = create();
  await waitForLock();
  gate.open();
  await passing;
  await creating;
  const { rows } = await database.store.query(
    "select sort_ordinal as at from backfill_dag_run where exception_reason = 'in flight'",
  );
  expect(rows).toEqual([{ at: 3 }]);
  expect(await runsPerDate()).toEqual([1, 1, 1, 1, 1, 1]);
});

test("while a backfill makes its runs the schedule waits, then goes on behind them with its own next date", async () => {
  await save({ catchup: true, maxActiveRuns: 100 });
  await setNext(day(3));
  const gate = createGate();
  const rig = await createRig(database, { settings: { maxRunsToEvaluate: 100 } });
  const creating = createBackfill(
    { ...resources(), pause: (at) => (at === "after-backfill-lock" ? gate.pass() : Promise.resolve()) },
    asked(),
    NOW,
  );
  await gate.entered;
  await rig.pass();
  expect(await runsPerDate()).toEqual([]);
  gate.open();
  const id = await creating;
  for (let at = 0; at < 6; at++) await rig.pass();
  const { rows } = await database.store.query(
    "select run_type as type, extract(day from logical_date)::int as day from dag_run order by 2",
  );
  expect(rows.map((row) => row.type)).toEqual([...Array.from({ length: 6 }, () => "backfill"), "scheduled", "scheduled"]);
  expect(new Set(await runsPerDate())).toEqual(new Set([1]));
  await rig.executor.settled();
  for (let at = 0; at < 6; at++) await rig.pass();
  expect(await isCompleted(id)).toBe(true);
});

test("a backfill moves no schedule, and its queued runs keep none of the schedule's from being created", async () => {
  await save({ maxActiveRuns: 1 });
  const next = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000 - 86_400_000);
  await setNext(next);
  await create({ toDate: day(20) });
  expect((await database.store.query("select next_dagrun as next from dag")).rows).toEqual([{ next }]);
  const rig = await createRig(database, { work: () => null });
  for (let pass = 0; pass < 2; pass++) await rig.pass();
  const { rows } = await database.store.query("select state from dag_run where run_type = 'scheduled'");
  expect(rows).toEqual([{ state: "running" }]);
});

test("the schedule's newest run is found although a backfill processed it again, and a backfill's own runs are none", async () => {
  await save({ catchup: true });
  expect(await lastScheduledRun(database.store, "d")).toBeNull();
  await setNext(day(3));
  const rig = await createRig(database);
  await rig.pass();
  await setNext(new Date("9999-01-01"));
  await rig.drain();
  await create({ reprocessBehavior: "completed" });
  expect((await database.store.query("select 1 from dag_run where run_type = 'scheduled'")).rows).toEqual([]);
  expect(await lastScheduledRun(database.store, "d")).toMatchObject({ logicalDate: day(3) });
});

test("what a crash left of a backfill's dates is decided by the schedulers' check", async () => {
  await save();
  const id = await openBackfill(resources(), asked(), NOW);
  const rig = await createRig(database);
  await rig.drain();
  expect(await isCompleted(id)).toBe(false);
  const second = await createRig(database);
  await Promise.all([checkBackfills(rig.resources, rig.options), checkBackfills(second.resources, second.options)]);
  await rig.drain();
  expect(await statesOf()).toEqual(SIX);
  expect(await isCompleted(id)).toBe(true);
});

test("a scheduler that dies in the middle costs a backfill nothing: another runs every date once to its end", async () => {
  await save();
  const id = await create();
  const dying = await createRig(database, { work: () => null });
  await dying.pass();
  expect(dying.executor.handed).toHaveLength(2);
  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour'");
  const heir = await createRig(database);
  await adoptOrphans(heir.resources, heir.options);
  await heir.drain();
  expect(await statesOf()).toEqual(SIX);
  expect(handedDays(heir).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await isCompleted(id)).toBe(true);
});

test("a last run that ends by hand, and one cleared in the moment of completion, are put right by the schedulers' check", async () => {
  await save();
  const id = await create({ toDate: day(1) });
  const rig = await createRig(database, { work: () => null });
  await rig.pass();
  await markRun(database.store, createDagCache(), "d", "backfill__2025-01-02T00:00:00+00:00", "success", { user: "ada" });
  expect(await isCompleted(id)).toBe(false);
  await checkBackfills(rig.resources, rig.options);
  expect(await isCompleted(id)).toBe(true);
  // As a clear leaves it that read the backfill just before.
  await database.store.query("update dag_run set state = 'queued'");
  await rig.pass();
  expect(await statesOf()).toEqual(["queued"]);
  await checkBackfills(rig.resources, rig.options);
  await rig.pass();
  expect(await statesOf()).toEqual(["success"]);
});

test("failed runs complete a backfill, too", async () => {
  await save();
  const id = await create();
  const rig = await createRig(database, { work: () => ({ ...FAILURE, retryable: false }) });
  await rig.drain();
  expect(await statesOf()).toEqual(SIX.map(() => "failed"));
  expect(await isCompleted(id)).toBe(true);
});

test("tasks that depend on their past run date after date, whatever max_active_runs allows", async () => {
  await save({ tasks: [{ taskId: "t", dependsOnPast: true }] });
  await create({ maxActiveRuns: 6, reprocessBehavior: "failed" });
  const rig = await createRig(database);
  await rig.drain();
  expect(await statesOf()).toEqual(SIX);
  expect(handedDays(rig)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a backfill of one run at a time: its failed run that is cleared goes before the one that waits for it", async () => {
  await save({ tasks: [{ taskId: "t", dependsOnPast: true }] });
  const id = await create({ maxActiveRuns: 1, toDate: day(3), reprocessBehavior: "failed" });
  let fails = true;
  const rig = await createRig(database, { work: () => (fails ? FAILURE : SUCCESS) });
  await rig.drain();
  expect(await statesOf()).toEqual(["failed", "running", "queued"]);
  fails = false;
  await clearRun(database.store, "d", (await firstRunId()) ?? "", { user: "ada" });
  await rig.drain();
  expect(await statesOf()).toEqual(["success", "success", "success"]);
  expect(await isCompleted(id)).toBe(true);
});

async function firstRunId(): Promise<string | undefined> {
  const { rows } = await database.store.query<{ runId: string }>(
    `select run_id as "runId" from dag_run where run_type = 'backfill' order by logical_date limit 1`,
  );
  return rows[0]?.runId;
}
