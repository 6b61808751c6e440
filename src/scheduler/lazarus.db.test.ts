import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import {
  createRig,
  createSchedulerDatabase,
  makeTrialsDue,
  type Rig,
  runState,
  statesOf,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import { reviveLifelessRuns } from "./lazarus.ts";

// The safety scan is an hour away in all of these: what heals the run is Lazarus.
const settings = { fullScanSec: 3_600, lazarusSec: 300, lazarusAttempts: 3 };

let database: TestDatabase;
let rig: Rig;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = await createRig(database, { settings, startsFirst: true });
});
afterEach(() => database.drop());

const check = (by = rig) => reviveLifelessRuns(by.resources, by.options);
/** As if so long had passed since anything of the run moved. */
const age = (seconds = 301) =>
  database.store.query(
    `with ti as (update task_instance set updated_at = updated_at - make_interval(secs => $1))
     update dag_run set start_date = start_date - make_interval(secs => $1), lazarus_at = lazarus_at - make_interval(secs => $1)`,
    [seconds],
  );
const audit = async () =>
  (await database.store.query<{ event: string; extra: { cause: string } }>("select event, extra from log order by id")).rows;
const attempts = async () =>
  (await database.store.query<{ n: number }>("select lazarus_attempts as n from dag_run order by id")).rows.map((row) => row.n);

const CHAIN = [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }];

/** A run whose first task ended without anybody being told. */
async function breakRun(dag: object = {}): Promise<string> {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN, ...dag });
  const runId = await trigger(database.store, "d");
  const held = await createRig(database, { settings, work: () => null });
  await held.drain();
  await database.store.query("update task_instance set state = 'success', end_date = now() where task_id = 'a'");
  await database.store.query("delete from task_event");
  await rig.drain();
  expect(await statesOf(database.store, runId), "nobody sees it").toEqual({ a: "success", b: null });
  return runId;
}

test("a run whose events were lost is put back on its way, once it stood still for long enough, and goes through", async () => {
  const runId = await breakRun();
  expect(await check(), "too early").toEqual({ revived: 0, failed: 0 });
  await age();
  expect(await check()).toEqual({ revived: 1, failed: 0 });
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "success", b: "success" });
  expect(await runState(database.store, "d", runId)).toBe("success");
  expect(await audit()).toEqual([{ event: "lazarus", extra: { attempt: 1, cause: "nothing moved, although b could" } }]);
});

test("of three schedulers that look at once, one puts the run back; a second look comes after an interval only", async () => {
  await breakRun();
  await age();
  const rigs = [rig, await createRig(database, { settings }), await createRig(database, { settings })];
  const reports = await Promise.all(rigs.map((one) => check(one)));
  expect(reports.reduce((sum, one) => sum + one.revived, 0)).toBe(1);
  await database.store.query("delete from task_event");
  expect(await check()).toEqual({ revived: 0, failed: 0 });
  expect(await attempts()).toEqual([1]);
});

test("a run that stays broken is failed after three attempts, with the reason in its note and the audit log", async () => {
  const runId = await breakRun({ hasOnFailureCallback: true });
  await database.store.query("update dag_run set note = 'mine'");
  await database.store.query("update serialized_dag set data = '[]'");
  const late = await createRig(database, { settings });
  for (let attempt = 1; attempt <= 3; attempt++) {
    await age();
    expect(await check(late)).toEqual({ revived: 1, failed: 0 });
    expect(await attempts()).toEqual([attempt]);
    await late.drain();
    expect(await runState(database.store, "d", runId)).toBe("running");
  }
  await age();
  expect(await check(late)).toEqual({ revived: 0, failed: 1 });
  expect(await runState(database.store, "d", runId)).toBe("failed");
  expect(await statesOf(database.store, runId)).toEqual({ a: "success", b: "skipped" });
  const { rows } = await database.store.query<{ note: string }>("select note from dag_run");
  expect(rows[0]?.note).toMatch(/^mine\nFailed by Lazarus after 3 attempts .* the run cannot be evaluated: serialized DAG/);
  expect((await audit()).map((row) => row.event)).toEqual(["lazarus", "lazarus", "lazarus", "lazarus_gave_up"]);
  await age();
  expect(await check(late), "and that is the end of it").toEqual({ revived: 0, failed: 0 });
});

test("a poisoned version that is mended in between heals, and what moves starts the count anew", async () => {
  const runId = await breakRun();
  const { rows } = await database.store.query<{ data: string }>("select data::text as data from serialized_dag");
  await database.store.query("update serialized_dag set data = '[]'");
  const held = await createRig(database, { settings, work: () => null });
  for (let attempt = 1; attempt <= 3; attempt++) {
    await age();
    await check(held);
    await held.drain();
  }
  await database.store.query("update serialized_dag set data = $1::json", [rows[0]?.data]);
  await makeTrialsDue(held);
  await held.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "success", b: "queued" });
  await database.store.query("update task_instance set state = 'success', updated_at = now() where task_id = 'b'");
  await age();
  expect(await check(held), "the fourth attempt, were the count not new").toEqual({ revived: 1, failed: 0 });
  expect(await attempts()).toEqual([1]);
  await held.drain();
  expect(await runState(database.store, "d", runId)).toBe("success");
});

test("a retry that lost its time is due at once", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a", retries: 1 }] });
  const runId = await trigger(database.store, "d");
  const held = await createRig(database, { settings, work: () => null });
  await held.drain();
  await database.store.query("update task_instance set state = 'up_for_retry', next_attempt_at = null");
  await age();
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "up_for_retry" });
  expect(await check()).toEqual({ revived: 1, failed: 0 });
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("success");
});

test("a run that rightly waits is left alone: for an earlier run, a retry's time, a task that runs", async () => {
  await saveDagFixture(database.store, { dagId: "past", tasks: [{ taskId: "a", dependsOnPast: true }] });
  await saveDagFixture(database.store, { dagId: "runs", tasks: [{ taskId: "r" }] });
  await saveDagFixture(database.store, { dagId: "retry", tasks: [{ taskId: "t", retries: 1 }] });
  const held = await createRig(database, { settings, work: () => null });
  const first = await trigger(database.store, "past", new Date("2024-01-01T00:00:00Z"));
  await trigger(database.store, "past", new Date("2024-01-02T00:00:00Z"));
  await trigger(database.store, "runs");
  await trigger(database.store, "retry");
  await held.drain();
  await database.store.query(
    "update task_instance set state = 'up_for_retry', next_attempt_at = now() + interval '1 hour' where task_id = 't'",
  );
  await database.store.query("update task_instance set state = 'failed' where run_id = $1", [first]);
  await database.store.query("update dag_run set state = 'failed' where run_id = $1", [first]);
  await database.store.query("delete from task_event");
  for (let round = 0; round < 5; round++) {
    await age();
    expect(await check()).toEqual({ revived: 0, failed: 0 });
  }
});
