import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import type { Outcome } from "../contracts/index.ts";
import { beatTries } from "../store/index.ts";
import { clearRuns, createDagCache, markRun } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const DOWN = { taskId: "down", isTeardown: true, triggerRule: "all_done_setup_success" };
/** up → work → after, and a teardown behind up and work. */
const TASKS = [
  { taskId: "up", isSetup: true },
  { taskId: "work", upstream: ["up"] },
  { taskId: "after", upstream: ["work"] },
  { ...DOWN, upstream: ["up", "work"] },
];
const SKIPPED: Outcome = { state: "skipped", reason: "on purpose", xcoms: [] };

/** Runs the DAG with these ends of tasks (null = it goes on running) and returns the states and the run's. */
async function play(tasks: readonly object[], ends: Record<string, Outcome | null>) {
  await saveDagFixture(database.store, { dagId: "d", tasks });
  const rig = await createRig(database, {
    startsFirst: true,
    work: ({ ti }) => (ti.taskId in ends ? (ends[ti.taskId] ?? null) : SUCCESS),
  });
  const runId = await trigger(database.store, "d");
  // What runs for ever never settles.
  if (Object.values(ends).includes(null)) for (let pass = 0; pass < 6; pass++) await drainOnce(rig);
  else await rig.drain();
  return { rig, runId, states: await statesOf(database.store, runId), run: await runState(database.store, "d", runId) };
}
async function drainOnce(rig: Awaited<ReturnType<typeof createRig>>): Promise<void> {
  await rig.pass();
  await rig.executor.settled();
}

test("a teardown runs after work that failed, and the run fails by its work", async () => {
  const { states, run } = await play(TASKS, { work: FAILURE });
  expect(states).toEqual({ up: "success", work: "failed", after: "upstream_failed", down: "success" });
  expect(run).toBe("failed");
});

test("a teardown does not run when its setup failed, and is skipped when its setup was", async () => {
  const failed = await play(TASKS, { up: FAILURE });
  expect(failed.states).toEqual({ up: "failed", work: "upstream_failed", after: "upstream_failed", down: "upstream_failed" });
  expect(failed.run).toBe("failed");
  await database.drop();
  database = await createSchedulerDatabase();
  const skipped = await play(TASKS, { up: SKIPPED });
  expect(skipped.states).toEqual({ up: "skipped", work: "skipped", after: "skipped", down: "skipped" });
  expect(skipped.run).toBe("success");
});

test.each([
  [false, "success"],
  [true, "failed"],
])("a teardown that fails, with onFailureFailDagrun %s: the run is a %s", async (onFailureFailDagrun, state) => {
  const { states, run } = await play([...TASKS.slice(0, 3), { ...TASKS[3], onFailureFailDagrun }], { down: FAILURE });
  expect(states.down).toBe("failed");
  expect(run).toBe(state);
});

test("work at a distance waits for its setup and shares its fate, whatever its own rule says", async () => {
  const tasks = [
    { taskId: "up", isSetup: true },
    { taskId: "near", upstream: ["up"] },
    { taskId: "far", upstream: ["near"], triggerRule: "all_done" },
    { ...DOWN, upstream: ["up", "far"] },
  ];
  const { states } = await play(tasks, { up: FAILURE });
  expect(states).toEqual({ up: "failed", near: "upstream_failed", far: "upstream_failed", down: "upstream_failed" });
});

test("clearing work clears its setup and teardown too, and they run in their order", async () => {
  const { rig, runId } = await play(TASKS, {});
  const before = rig.executor.handed.length;
  const touched = await clearRuns(database.store, createDagCache(), {
    by: { user: "ada" },
    dagId: "d",
    runs: { kind: "one", runId, past: false, future: false },
    taskIds: ["work"],
    directions: { upstream: false, downstream: false },
    states: null,
    resetRuns: true,
    preventRunning: false,
    dryRun: false,
  });
  expect(touched.map((one) => one.taskId)).toEqual(["down", "up", "work"]);
  await rig.drain();
  expect(rig.executor.handed.slice(before).map((one) => one.ti.taskId)).toEqual(["up", "work", "down"]);
  expect(await runState(database.store, "d", runId)).toBe("success");
});

test("a run marked failed while it runs: its work is stopped, its teardown runs, and then it is failed and calls nobody", async () => {
  const tasks = [...TASKS, { taskId: "other" }];
  const { rig, runId, states } = await play(tasks, { work: null });
  expect(states).toMatchObject({ up: "success", work: "running", down: null });
  const { rows } = await database.store.query<{ id: string }>("select id from task_instance where task_id = 'work'");
  await markRun(database.store, createDagCache(), "d", runId, "failed", { user: "ada" });
  expect(await beatTries(database.store, [rows[0]?.id ?? ""]), "its worker learns of it").toEqual([]);
  expect(await runState(database.store, "d", runId)).toBe("running");
  for (let pass = 0; pass < 4; pass++) {
    await rig.pass();
    await expect.poll(() => rig.executor.inHand.size).toBeLessThanOrEqual(1);
  }
  expect(await statesOf(database.store, runId)).toEqual({
    up: "success",
    work: "failed",
    after: "skipped",
    down: "success",
    other: "success",
  });
  expect(await runState(database.store, "d", runId)).toBe("failed");
  expect(await database.store.query("select 1 from callback_request")).toMatchObject({ rowCount: 0 });
});

test("a run marked failed ends as failed although its leaves were only skipped; without a teardown it ends at once", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS, hasOnFailureCallback: true });
  const rig = await createRig(database, { work: ({ ti }) => (ti.taskId === "up" ? SUCCESS : null) });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  await expect.poll(async () => (await statesOf(database.store, runId)).up).toBe("success");
  // Nothing runs now: all there is to do is skip.
  await markRun(database.store, createDagCache(), "d", runId, "failed", { user: "ada" });
  expect(await statesOf(database.store, runId)).toEqual({ up: "success", work: "skipped", after: "skipped", down: null });
  await rig.pass();
  expect(await statesOf(database.store, runId)).toMatchObject({ down: "queued" });
  await markRun(database.store, createDagCache(), "d", runId, "success", { user: "ada" });
  expect(await runState(database.store, "d", runId), "marked anew, the teardown still runs").toBe("running");
  await saveDagFixture(database.store, { dagId: "plain", tasks: [{ taskId: "t" }] });
  const plain = await trigger(database.store, "plain");
  await rig.pass();
  await markRun(database.store, createDagCache(), "plain", plain, "failed", { user: "ada" });
  expect(await runState(database.store, "plain", plain)).toBe("failed");
});

test("a run that runs out of time skips its teardowns too, as Airflow does", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS, dagrunTimeoutSec: 3_600 });
  const rig = await createRig(database, { work: ({ ti }) => (ti.taskId === "up" ? SUCCESS : null) });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  await expect.poll(async () => (await statesOf(database.store, runId)).up).toBe("success");
  await database.store.query("update dag_run set timeout_at = now() - interval '1 s', next_scan_at = now()");
  await rig.pass();
  expect(await statesOf(database.store, runId)).toEqual({ up: "success", work: "skipped", after: "skipped", down: "skipped" });
  expect(await runState(database.store, "d", runId)).toBe("failed");
});
