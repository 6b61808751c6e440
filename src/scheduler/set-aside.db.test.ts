import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createTestApi } from "../../tests/support/public-api.ts";
import { recordMetrics } from "../../tests/support/record-metrics.ts";
import {
  createRig,
  createSchedulerDatabase,
  makeTrialsDue,
  type Rig,
  runState,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import { insertCallback, setNextRun } from "../store/index.ts";
import { nextRun, restrictionOf } from "../timetables/index.ts";
import { checkBackfills } from "./check-backfills.ts";
import { createBackfill } from "./commands/backfill/create-backfill.ts";
import { createDagCache, type Scheduler } from "./index.ts";
import { reviveLifelessRuns } from "./lazarus.ts";
import { adoptOrphans, requeueStuckTries, takeExecutorEvents, timeOutLateWaits } from "./recover.ts";
import { failSilentTries } from "./watch-silence.ts";

let database: TestDatabase;
let scheduler: Scheduler | null = null;
const told = recordMetrics();
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = null;
  await database.drop();
});

const run = (sql: string) => database.store.query(sql);
/** No row of the bad DAG may come into such a state: what a step writes is refused, as a poisoned row is. */
const forbid = (table: string, condition: string) =>
  run(`alter table ${table} add constraint poison check (${condition}) not valid`);
const allow = (table: string) => run(`alter table ${table} drop constraint poison`);
const setData = (version: number) =>
  run(`update serialized_dag set data = jsonb_set(data::jsonb, '{schemaVersion}', '${version}')::json where dag_id = 'bad'`);
const HOURLY = { type: "cron", expression: "0 * * * *", timezone: "UTC", intervals: false };

/** A step of a pass, how one DAG's row makes it fail, and how that is mended. */
const STEPS: Record<string, { poison(): Promise<unknown>; mend(): Promise<unknown>; isOver?: string }> = {
  "the start of a queued run, whose time limit is out of range": {
    poison: () => run("update dag_run set timeout_sec = 9007199254740991 where dag_id = 'bad'"),
    mend: () => run("update dag_run set timeout_sec = null where dag_id = 'bad'"),
  },
  "evaluation, whose DAG version cannot be read": { poison: () => setData(99), mend: () => setData(1) },
  "evaluation, whose changes are refused": {
    poison: () => forbid("task_instance", "dag_id <> 'bad' or state <> 'scheduled'"),
    mend: () => allow("task_instance"),
  },
  "dispatch, which cannot queue": {
    poison: () => forbid("task_instance", "dag_id <> 'bad' or state <> 'queued'"),
    mend: () => allow("task_instance"),
  },
  "the end of a run": {
    poison: () => forbid("dag_run", "dag_id <> 'bad' or state <> 'success'"),
    mend: () => allow("dag_run"),
  },
  "what is owed at the end of a run": {
    poison: () => forbid("callback_request", "dag_run_id is null"),
    mend: () => allow("callback_request"),
  },
  "the creation of a scheduled run": {
    poison: () => forbid("dag_run", "dag_id <> 'bad' or run_type <> 'scheduled'"),
    mend: () => allow("dag_run"),
    isOver: "schedule",
  },
};

/** As the dag-processor leaves it: its next run is due. */
async function schedule(dagId: string): Promise<void> {
  const dag = serializedDag({ dagId, timetable: HOURLY, startDate: new Date(Date.now() - 7_200_000).toISOString() });
  const restriction = restrictionOf(dag);
  await run(`update dag set timetable_type = 'cron' where dag_id = '${dagId}'`);
  await setNextRun(database.store, dagId, nextRun(dag.timetable, { last: null, restriction, now: new Date() }));
}

const warnings = async () =>
  (await (await createTestApi(database.store)).get("/api/v2/dagWarnings?warning_type=set%20aside")).json.dag_warnings as {
    dag_id: string;
    message: string;
  }[];
const scheduledRuns = async (dagId: string) =>
  (await database.store.query("select 1 from dag_run where dag_id = $1 and run_type = 'scheduled'", [dagId])).rowCount;

test.each(Object.keys(STEPS))(
  "%s: all others go on in the same second, it is told, and goes on when it is mended",
  async (name) => {
    const step = STEPS[name];
    if (!step) throw new Error(name);
    const isSchedule = step.isOver === "schedule";
    const fields = { tasks: [{ taskId: "t" }], ...(isSchedule ? { timetable: HOURLY, catchup: false } : {}) };
    await saveDagFixture(database.store, { dagId: "bad", hasOnSuccessCallback: true, ...fields });
    await saveDagFixture(database.store, { dagId: "good", ...fields });
    const bad = isSchedule ? "" : await trigger(database.store, "bad");
    await step.poison();
    // A second at most between two trials.
    const rig = await createRig(database, { metrics: told.metrics, settings: { fullScanSec: 1, heartbeatSec: 60 } });
    scheduler = await rig.start();
    if (isSchedule) for (const dagId of ["bad", "good"]) await schedule(dagId);
    const good = isSchedule ? "" : await trigger(database.store, "good");
    const life = () => scheduler?.life();
    await expect.poll(() => life()?.setAside, { timeout: 4_000, interval: 20 }).toBe(1);
    const isDone = async (dagId: string, runId: string) =>
      isSchedule ? (await scheduledRuns(dagId)) === 1 : (await runState(database.store, dagId, runId)) === "success";
    await expect.poll(() => isDone("good", good), { timeout: 1_000, interval: 20 }).toBe(true);

    expect(await isDone("bad", bad)).toBe(false);
    expect(life()).toMatchObject({ failing: null, setAside: 1 });
    expect(told.gauges.get("scheduler.set_aside")).toEqual([{ labels: {}, value: 1 }]);
    const health = await (await createTestApi(database.store)).get("/api/v2/monitor/health");
    expect(health.json.scheduler).toMatchObject({ status: "healthy", reason: null, set_aside: 1 });
    expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
    expect((await warnings())[0]?.message).toMatch(/poison|out of range|schemaVersion|version/);
    // Others go on for as long as it is there.
    const later = isSchedule ? null : await trigger(database.store, "good");
    if (later) await expect.poll(() => isDone("good", later), { timeout: 1_000, interval: 20 }).toBe(true);
    const { rows } = await database.store.query("select dag_id as dag from set_aside");
    expect(rows).toEqual([{ dag: "bad" }]);

    await step.mend();
    await expect.poll(() => isDone("bad", bad), { timeout: 6_000, interval: 20 }).toBe(true);
    await expect.poll(warnings, { timeout: 2_000 }).toEqual([]);
    await expect.poll(() => life()?.setAside, { timeout: 2_000 }).toBe(0);
    expect(told.gauges.get("scheduler.set_aside")).toEqual([{ labels: {}, value: 0 }]);
  },
);

test("an owed callback that cannot be queued keeps no other from being queued", async () => {
  const version = await saveDagFixture(database.store, { dagId: "bad", tasks: [{ taskId: "t" }] });
  await saveDagFixture(database.store, { dagId: "good", tasks: [{ taskId: "t" }] });
  const [first, second] = [await trigger(database.store, "bad"), await trigger(database.store, "good")];
  const idOf = async (runId: string) =>
    (await database.store.query<{ id: number }>("select id from dag_run where run_id = $1", [runId])).rows[0]?.id ?? 0;
  const data = { kind: "dag", callback: "onSuccess", reason: "success" };
  for (const runId of [first, second])
    await insertCallback(database.store, { dagRunId: await idOf(runId), versionId: version, data });
  await forbid("callback_request", `dag_run_id <> ${await idOf(first)} or state <> 'queued'`);
  const rig = await createRig(database);
  await rig.pass();
  const states = async () =>
    (await database.store.query("select state from callback_request order by dag_run_id")).rows.map((row) => row.state);
  expect(await states()).toEqual(["scheduled", "queued"]);
  expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
  await allow("callback_request");
  await makeTrialsDue(rig);
  await rig.pass();
  expect(await states()).toEqual(["queued", "queued"]);
  expect(await warnings()).toEqual([]);
});

/** Tasks of both DAGs are in the executor's hands, those of the bad one first in every order. */
async function bothQueued(): Promise<Rig> {
  const tasks = (weight: number) => [{ taskId: "t", retries: 0, priorityWeight: weight }];
  await saveDagFixture(database.store, { dagId: "bad", tasks: tasks(9) });
  await saveDagFixture(database.store, { dagId: "good", tasks: tasks(1) });
  const rig = await createRig(database, { work: () => null });
  await trigger(database.store, "bad");
  await trigger(database.store, "good");
  await rig.drain();
  await run("update task_instance set id = '00000000-0000-4000-8000-000000000001' where dag_id = 'bad'");
  return rig;
}
const stateOf = async (dagId: string) =>
  (await database.store.query("select state from task_instance where dag_id = $1", [dagId])).rows[0]?.state;
const BAD = "dag_id <> 'bad'";

/** The checks beside the pass: what makes one of two tries refused, and that the other one is dealt with. */
const CHECKS: Record<string, { seed: string; refuse: string; check(rig: Rig): Promise<unknown>; good: string; mended: string }> =
  {
    "a silent try whose end is refused": {
      seed: "update task_instance set state = 'running', last_heartbeat_at = now() - interval '1 h'",
      refuse: `${BAD} or state <> 'failed'`,
      check: (rig) => failSilentTries(rig.resources, rig.options),
      good: "failed",
      mended: "failed",
    },
    "a stuck try that cannot go back": {
      seed: "update task_instance set queued_dttm = now() - interval '1 h'",
      refuse: `${BAD} or state <> 'scheduled'`,
      check: (rig) => requeueStuckTries(rig.resources, rig.options),
      good: "scheduled",
      mended: "scheduled",
    },
    "an orphan that cannot be adopted or sent back": {
      seed: "with dead as (insert into job (job_type, hostname, pid, state) values ('SchedulerJob', 'x', 1, 'failed') returning id) update task_instance set queued_by_job_id = dead.id from dead",
      refuse: `${BAD} or state <> 'scheduled'`,
      check: (rig) => adoptOrphans({ ...rig.resources, executors: new Map() }, rig.options),
      good: "scheduled",
      mended: "scheduled",
    },
    "a deferred try whose wait cannot be ended": {
      seed: "update task_instance set state = 'deferred', trigger_timeout = now() - interval '1 s'",
      refuse: `${BAD} or state <> 'scheduled'`,
      check: (rig) => timeOutLateWaits(rig.resources, rig.options),
      good: "scheduled",
      mended: "scheduled",
    },
  };

test.each(Object.keys(CHECKS))("%s keeps no other from its own, is told, and is dealt with when it is mended", async (name) => {
  const one = CHECKS[name];
  if (!one) throw new Error(name);
  const rig = await bothQueued();
  await run(one.seed);
  await forbid("task_instance", one.refuse);
  await one.check(rig);
  expect(await stateOf("good")).toBe(one.good);
  expect(await stateOf("bad")).not.toBe(one.mended);
  expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
  expect(rig.resources.aside.count).toBe(1);
  await allow("task_instance");
  await one.check(rig);
  expect(await stateOf("bad")).toBe(one.mended);
  await makeTrialsDue(rig);
  await rig.pass();
  expect(await warnings()).toEqual([]);
});

test("an executor's event that cannot be written keeps no other from being heard, and is told again", async () => {
  let nowMs = Date.now();
  const rig = await bothQueued();
  const resources = { ...rig.resources, clock: { now: () => nowMs } };
  await forbid("task_instance", `${BAD} or state <> 'scheduled'`);
  for (const id of rig.executor.inHand) {
    rig.executor.emit({
      kind: "not_started",
      id: (await isBad(id)) ? "00000000-0000-4000-8000-000000000001" : id,
      reason: "gone",
    });
  }
  await takeExecutorEvents(resources, rig.options);
  expect([await stateOf("bad"), await stateOf("good")]).toEqual(["queued", "scheduled"]);
  expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
  await allow("task_instance");
  expect(await takeExecutorEvents(resources, rig.options), "not yet").toBe(0);
  nowMs += 30_000;
  expect(await takeExecutorEvents(resources, rig.options)).toBe(1);
  expect(await stateOf("bad")).toBe("scheduled");
  expect(resources.untold).toEqual([]);
});
/** The one whose id was replaced in the database is known to the executor by its old one. */
const isBad = async (id: string) =>
  (await database.store.query("select 1 from task_instance where id = $1", [id])).rowCount === 0;

test("a halted run that cannot be put back on its way keeps no other from it", async () => {
  for (const dagId of ["bad", "good"]) await saveDagFixture(database.store, { dagId, tasks: [{ taskId: "t" }] });
  for (const dagId of ["bad", "good"]) await trigger(database.store, dagId);
  await run("update dag_run set state = 'running', start_date = now() - interval '1 h'");
  await run("update task_instance set updated_at = now() - interval '1 h'");
  await run("delete from task_event");
  await forbid("dag_run", "dag_id <> 'bad' or lazarus_attempts = 0");
  const rig = await createRig(database);
  expect(await reviveLifelessRuns(rig.resources, rig.options)).toEqual({ revived: 1, failed: 0 });
  expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
});

test("a backfill that cannot go on or be completed keeps no other from it, and goes on when it is mended", async () => {
  const daily = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
  const ids: number[] = [];
  for (const dagId of ["bad", "good"]) {
    await saveDagFixture(database.store, { dagId, tasks: [{ taskId: "t" }], timetable: daily });
    const id = await createBackfill(
      { store: database.store, dags: createDagCache(), defaultExecutor: "LocalExecutor" },
      {
        dagId,
        fromDate: new Date("2025-01-01T00:00:00Z"),
        toDate: new Date("2025-01-02T00:00:00Z"),
        dagRunConf: null,
        reprocessBehavior: "none",
        maxActiveRuns: 2,
        runBackwards: false,
        runOnLatestVersion: true,
        triggeringUserName: null,
      },
      new Date("2025-12-01T00:00:00Z"),
    );
    ids.push(id);
  }
  await run("update dag_run set state = 'success'");
  await forbid("backfill", `id <> ${ids[0]} or completed_at is null`);
  const rig = await createRig(database);
  await checkBackfills(rig.resources, rig.options);
  const completed = async () =>
    (await database.store.query("select completed_at is not null as done from backfill order by id")).rows.map((row) => row.done);
  expect(await completed()).toEqual([false, true]);
  expect(await warnings()).toMatchObject([{ dag_id: "bad" }]);
  await allow("backfill");
  await makeTrialsDue(rig);
  await rig.pass();
  expect(await completed()).toEqual([true, true]);
  expect(await warnings()).toEqual([]);
});

test("what fails with every run alike is nobody's fault: nothing is set aside, and the pass fails", async () => {
  for (const dagId of ["bad", "good"]) await saveDagFixture(database.store, { dagId, tasks: [{ taskId: "t" }] });
  for (const dagId of ["bad", "good"]) await trigger(database.store, dagId);
  const rig = await createRig(database, {
    pause: async (at) => {
      if (at === "after-claim") throw new Error("out of order");
    },
  });
  await expect(rig.pass()).rejects.toThrow("out of order");
  expect(await warnings()).toEqual([]);
});

test("a run that fails with each trial is tried less and less often", async () => {
  await saveDagFixture(database.store, { dagId: "bad", tasks: [{ taskId: "t" }] });
  await trigger(database.store, "bad");
  await run("update dag_run set timeout_sec = 9007199254740991");
  const rig = await createRig(database);
  const waits: number[] = [];
  await rig.pass();
  for (let trial = 0; trial < 5; trial++) {
    const { rows } = await database.store.query<{ sec: number }>(
      "select extract(epoch from try_at - now())::float8 as sec from set_aside",
    );
    waits.push(Math.round(rows[0]?.sec ?? 0));
    await makeTrialsDue(rig);
    await rig.pass();
  }
  expect(waits).toEqual([5, 10, 20, 40, 60]);
});

test("what one scheduler has set aside, all leave out, those that start later too", async () => {
  for (const dagId of ["bad", "good"]) await saveDagFixture(database.store, { dagId, tasks: [{ taskId: "t" }] });
  await trigger(database.store, "bad");
  await run("update dag_run set timeout_sec = 9007199254740991");
  await (await createRig(database)).pass();
  const other = await createRig(database);
  scheduler = await other.start();
  await expect.poll(() => scheduler?.life().setAside, { timeout: 2_000 }).toBe(1);
  const good = await trigger(database.store, "good");
  await expect.poll(() => runState(database.store, "good", good), { timeout: 2_000 }).toBe("success");
  const { rows } = await database.store.query("select attempts from set_aside");
  expect(rows, "no pass has failed with it again").toEqual([{ attempts: 1 }]);
});
