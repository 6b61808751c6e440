import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import {
  createGate,
  createRig,
  createSchedulerDatabase,
  makeTrialsDue,
  type Rig,
  runState,
  statesOf,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import type { Outcome } from "../contracts/index.ts";
import { clearRun, createDagCache, finishByOutcome, markRun, type Scheduler, startScheduler } from "./index.ts";

let database: TestDatabase;
let scheduler: Scheduler | null = null;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = null;
  await database.drop();
});

const CHAIN = [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }, { taskId: "c", upstream: ["b"] }];

async function end(runId: string, taskId: string, outcome: Outcome = SUCCESS): Promise<void> {
  const { rows } = await database.store.query<{ id: string }>(
    "select id from task_instance where run_id = $1 and task_id = $2 and state = 'queued'",
    [runId, taskId],
  );
  const guard = { leaving: ["queued"], silentForSec: null } as const;
  expect(await finishByOutcome(database.store, createDagCache(), [{ id: rows[0]?.id ?? "", outcome }], guard)).toHaveLength(1);
}

/** A retry is due no earlier than after a second; the tests do not wait for it. */
const makeDue = () => database.store.query("update task_instance set next_attempt_at = now() where next_attempt_at is not null");

const stateOf = async (runId: string, taskId: string) => (await statesOf(database.store, runId))[taskId];

test("a finish that commits while its run is claimed is seen by the next pass", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN });
  let gate: ReturnType<typeof createGate> | null = null;
  const rig = await createRig(database, {
    work: () => null,
    pause: async (at) => {
      if (at === "after-claim") await gate?.pass();
    },
  });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  await database.store.query("update dag_run set next_scan_at = now()");
  const held = createGate();
  gate = held;
  const passing = rig.pass();
  await held.entered;
  // The outbox line needs the run's row, so it may have to wait; it must not be taken off by this claim, nor lost.
  const ending = end(runId, "a");
  held.open();
  await Promise.all([passing, ending]);
  gate = null;
  await rig.drain();
  expect(await stateOf(runId, "b")).toBe("queued");
});

test("a picture that is forgotten is built anew", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN });
  const rig = await createRig(database, { work: () => null });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  rig.resources.pictures.clear();
  await end(runId, "a");
  await rig.drain();
  expect(await stateOf(runId, "b")).toBe("queued");
});

test("a picture that another scheduler's evaluation or a clear made stale is not used", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [...CHAIN.slice(0, 2), { taskId: "c", upstream: ["a", "b"] }] });
  const first = await createRig(database, { work: () => null });
  const second = await createRig(database, { work: () => null });
  const runId = await trigger(database.store, "d");
  await first.pass();
  await end(runId, "a");
  await second.drain();
  // The first remembers `a` as queued, so `c` would wait for it for ever.
  await end(runId, "b");
  await first.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "success", b: "success", c: "queued" });
  await clearRun(database.store, "d", runId, { user: "ada" }, { taskIds: ["a", "b", "c"] });
  await second.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "queued", b: null, c: null });
});

test("an event row deleted by hand: the safety scan finds what happened", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN });
  const rig = await createRig(database, { work: () => null });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  await end(runId, "a");
  await database.store.query("delete from task_event");
  await rig.drain();
  expect(await stateOf(runId, "b"), "nobody knows yet").toBeNull();
  await database.store.query("update dag_run set next_scan_at = now()");
  await rig.drain();
  expect(await stateOf(runId, "b")).toBe("queued");
});

test("a run that goes on is scanned no later than fullScanSec from now, and its scan is put off only when half of that is over", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN });
  const scanInSec = async (passedOf: number) => {
    const rig = await createRig(database, { work: () => null, settings: { fullScanSec: 100 } });
    await database.store.query("update dag_run set next_scan_at = now() + make_interval(secs => $1)", [passedOf]);
    await database.store.query("insert into task_event (dag_run_id) select id from dag_run");
    await rig.pass();
    const { rows } = await database.store.query<{ sec: number }>(
      "select extract(epoch from next_scan_at - last_scheduling_decision)::float8 as sec from dag_run",
    );
    return rows[0]?.sec;
  };
  await trigger(database.store, "d");
  await (await createRig(database, { work: () => null })).pass();
  const kept = await scanInSec(80);
  expect(kept).toBeLessThanOrEqual(80);
  expect(kept).toBeGreaterThan(50);
  expect(await scanInSec(40), "half of it is over").toBe(100);
  expect(await scanInSec(3_600), "the option was lowered").toBe(100);
});

test("the loop's own safety scan comes after fullScanSec", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }] });
  const rig = await createRig(database, { work: () => null, settings: { fullScanSec: 1 } });
  const runId = await trigger(database.store, "d");
  scheduler = await rig.start();
  await expect.poll(() => stateOf(runId, "a"), { timeout: 5_000 }).toBe("queued");
  await database.store.transaction(async (tx) => {
    // As if the event had been lost.
    await tx.query("update task_instance set state = 'success'");
  });
  await expect.poll(() => runState(database.store, "d", runId), { timeout: 5_000 }).toBe("success");
});

test("notifications lost: the idle poll finds the work within idleSleepSec", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: CHAIN });
  const rig = await createRig(database, { settings: { idleSleepSec: 0.5 } });
  let slept = () => {};
  const asleep = new Promise<void>((resolve) => {
    slept = resolve;
  });
  const deaf: Rig["store"] = {
    ...rig.store,
    listen: () => ({ close: async () => {} }),
    query(statement, values) {
      // The last thing a pass asks before it sleeps.
      if (typeof statement !== "string" && statement.name === "next-due") slept();
      return rig.store.query(statement, values);
    },
  };
  scheduler = await startScheduler({ ...rig.resources, store: deaf }, rig.options);
  await asleep;
  const startedAt = Date.now();
  const runId = await trigger(database.store, "d");
  await expect.poll(() => runState(database.store, "d", runId), { timeout: 10_000, interval: 20 }).toBe("success");
  // One sleep before each of three tasks and before the run's end, at most.
  expect(Date.now() - startedAt).toBeLessThan(5 * 500 + 1_500);
});

test("a run that cannot start yet while a retry of it is due does not keep the scheduler busy", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    maxActiveRuns: 1,
    tasks: [{ taskId: "a", retries: 3, retryDelaySec: 0 }],
  });
  const rig = await createRig(database, { work: () => null });
  const first = await trigger(database.store, "d");
  await rig.pass();
  await end(first, "a", FAILURE);
  await makeDue();
  const second = await trigger(database.store, "d");
  // Queued anew by hand while its task waits for a retry; the other run has its place.
  await markRun(database.store, createDagCache(), "d", first, "queued", { user: "ada" });
  await database.store.query("update dag_run set queued_at = now(), run_after = now() where run_id = $1", [first]);
  await rig.pass();
  expect(await runState(database.store, "d", second)).toBe("running");
  expect(await runState(database.store, "d", first)).toBe("queued");
  for (let at = 0; at < 3; at++) await rig.pass();
  expect(await rig.pass()).toMatchObject({ more: false, busy: false });
  await end(second, "a");
  await rig.drain();
  expect(await stateOf(first, "a")).toBe("queued");
});

test("a run whose DAG version is poisoned is left aside, without keeping the scheduler busy or others waiting", async () => {
  await saveDagFixture(database.store, { dagId: "bad", tasks: [{ taskId: "a", retries: 2, retryDelaySec: 0 }] });
  await saveDagFixture(database.store, { dagId: "good", tasks: CHAIN });
  const rig = await createRig(database, { work: ({ ti }) => (ti.dagId === "bad" ? null : SUCCESS) });
  const bad = await trigger(database.store, "bad");
  await rig.pass();
  await end(bad, "a", FAILURE);
  await makeDue();
  await database.store.query("update serialized_dag set data = '{\"schemaVersion\": 99}' where dag_id = 'bad'");
  // A scheduler that has not read the version while it was good.
  const late = await createRig(database);
  const good = await trigger(database.store, "good");
  await late.drain();
  expect(await runState(database.store, "good", good)).toBe("success");
  expect(await runState(database.store, "bad", bad)).toBe("running");
  for (let at = 0; at < 3; at++) await late.pass();
  expect(await late.pass()).toMatchObject({ more: false, busy: false });
  // Repaired, it goes on by itself.
  const data = { schemaVersion: 1, dagId: "bad", timetable: { type: "null" } };
  const task = { taskId: "a", operator: "task", kind: "function", upstream: [], retries: 2, retryDelaySec: 0 };
  await database.store.query("update serialized_dag set data = $1 where dag_id = 'bad'", [
    JSON.stringify({ ...data, tasks: [task] }),
  ]);
  await makeTrialsDue(late);
  await late.drain();
  expect(await runState(database.store, "bad", bad)).toBe("success");
});
