import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import {
  createGate,
  createRig,
  createSchedulerDatabase,
  runState,
  statesOf,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import type { Outcome, TaskInstanceState, TriggerRule } from "../contracts/index.ts";
import { clearRun, createDagCache, createDagRun, finishByOutcome } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const DAY_1 = new Date("2024-01-01T00:00:00Z");
const DAY_2 = new Date("2024-01-02T00:00:00Z");
const DAY_3 = new Date("2024-01-03T00:00:00Z");

async function end(runId: string, taskId: string, outcome: Outcome = SUCCESS): Promise<void> {
  const { rows } = await database.store.query<{ id: string }>(
    "select id from task_instance where run_id = $1 and task_id = $2 and state = 'queued'",
    [runId, taskId],
  );
  const guard = { leaving: ["queued"], silentForSec: null } as const;
  expect(await finishByOutcome(database.store, createDagCache(), [{ id: rows[0]?.id ?? "", outcome }], guard)).toHaveLength(1);
}

test("dependsOnPast: a task waits for its own success in the run before, and is woken by it, run by run", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a", dependsOnPast: true }, { taskId: "free" }] });
  const rig = await createRig(database, { work: () => null });
  const runs: string[] = [];
  for (const day of [DAY_1, DAY_2, DAY_3]) runs.push(await trigger(database.store, "d", day));
  const states = async () => Promise.all(runs.map(async (run) => (await statesOf(database.store, run)).a));
  await rig.drain();
  expect(await states()).toEqual(["queued", null, null]);
  for (const run of runs) await end(run, "free");
  await rig.drain();
  expect(await states(), "another task's end lets nobody go").toEqual(["queued", null, null]);
  await end(runs[0] ?? "", "a");
  await rig.drain();
  expect(await states()).toEqual(["success", "queued", null]);
  await end(runs[1] ?? "", "a");
  await rig.drain();
  expect(await states()).toEqual(["success", "success", "queued"]);
  await end(runs[2] ?? "", "a");
  await rig.drain();
  for (const run of runs) expect(await runState(database.store, "d", run)).toBe("success");
});

test("dependsOnPast: after a failure the next run's task goes on waiting, until the failed one is cleared and succeeds", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a", dependsOnPast: true }] });
  const rig = await createRig(database, { work: () => null });
  const first = await trigger(database.store, "d", DAY_1);
  const second = await trigger(database.store, "d", DAY_2);
  await rig.drain();
  await end(first, "a", FAILURE);
  await rig.drain();
  expect(await runState(database.store, "d", first)).toBe("failed");
  expect(await statesOf(database.store, second)).toEqual({ a: null });
  expect(await runState(database.store, "d", second), "held is not deadlocked").toBe("running");
  await clearRun(database.store, "d", first, { user: "ada" });
  await rig.drain();
  await end(first, "a");
  await rig.drain();
  expect(await statesOf(database.store, second)).toEqual({ a: "queued" });
});

/** Runs that gave their place away, in order. */
async function requeuedRuns(): Promise<string[]> {
  const { rows } = await database.store.query<{ runId: string }>(
    `select run_id as "runId" from log where event = 'requeued' order by id`,
  );
  return rows.map((row) => row.runId);
}
const runStates = (runs: readonly string[]) => Promise.all(runs.map((run) => runState(database.store, "d", run)));

test("maxActiveRuns 1: a failed run that is cleared goes before the one that waits for it in the only place", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    maxActiveRuns: 1,
    tasks: [{ taskId: "a", dependsOnPast: true }, { taskId: "free" }],
  });
  const rig = await createRig(database, { work: ({ ti }) => (ti.taskId === "a" ? null : SUCCESS) });
  const runs: string[] = [];
  for (const day of [DAY_1, DAY_2, DAY_3]) runs.push(await trigger(database.store, "d", day));
  const [one = "", two = ""] = runs;
  await rig.drain();
  await end(one, "a", FAILURE);
  await rig.drain();
  expect(await runStates(runs)).toEqual(["failed", "running", "queued"]);
  await clearRun(database.store, "d", one, { user: "ada" });
  await rig.drain();
  expect(await runStates(runs)).toEqual(["running", "queued", "queued"]);
  expect(await statesOf(database.store, one)).toEqual({ a: "queued", free: "success" });
  expect(await requeuedRuns()).toEqual([two]);
  // It fails again, and is cleared again.
  await end(one, "a", FAILURE);
  await rig.drain();
  expect(await runStates(runs)).toEqual(["failed", "running", "queued"]);
  await clearRun(database.store, "d", one, { user: "ada" });
  await rig.drain();
  for (const run of runs) {
    await end(run, "a");
    await rig.drain();
  }
  expect(await runStates(runs)).toEqual(["success", "success", "success"]);
  const { rows } = await database.store.query<{ late: string }>("select dag_id as late from dag_run where end_date < start_date");
  expect(rows).toEqual([]);
});

test("waitForDownstream and several cleared runs: they go in the order of their dates, one at a time, whatever ids they have", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    maxActiveRuns: 1,
    tasks: [
      { taskId: "a", dependsOnPast: true, waitForDownstream: true },
      { taskId: "b", upstream: ["a"] },
    ],
  });
  const rig = await createRig(database, { work: () => null });
  // Made in another order than that of their dates.
  const third = await trigger(database.store, "d", DAY_3);
  await rig.drain();
  await end(third, "a");
  await rig.drain();
  expect(await statesOf(database.store, third), "nothing before it yet").toEqual({ a: "success", b: "queued" });
  await end(third, "b");
  await rig.drain();
  const [first, second] = [await trigger(database.store, "d", DAY_1), await trigger(database.store, "d", DAY_2)];
  for (const run of [first, second]) {
    await rig.drain();
    await end(run, "a");
    await rig.drain();
    await end(run, "b", run === first ? SUCCESS : FAILURE);
  }
  const last = await trigger(database.store, "d", new Date("2024-01-04T00:00:00Z"));
  await rig.drain();
  // All three are cleared while the last has the place: the third by date waits for the second, and that for the first.
  expect(await runStates([first, second, third, last])).toEqual(["success", "failed", "success", "running"]);
  await end(last, "a");
  await rig.drain();
  for (const run of [third, second, first]) await clearRun(database.store, "d", run, { user: "ada" });
  await rig.drain();
  expect(await runStates([first, second, third, last]), "what is at work keeps its place").toEqual([
    "queued",
    "queued",
    "queued",
    "running",
  ]);
  await end(last, "b");
  for (const run of [first, second, third]) {
    await rig.drain();
    expect(await statesOf(database.store, run)).toEqual({ a: "queued", b: null });
    await end(run, "a");
    await rig.drain();
    await end(run, "b");
  }
  await rig.drain();
  expect(await runStates([first, second, third, last])).toEqual(["success", "success", "success", "success"]);
});

test("a run by hand that comes before the waiting one by its date goes first too, although it was made later", async () => {
  await saveDagFixture(database.store, { dagId: "d", maxActiveRuns: 1, tasks: [{ taskId: "a", dependsOnPast: true }] });
  const rig = await createRig(database, { work: () => null });
  const first = await trigger(database.store, "d", DAY_1);
  await rig.drain();
  await end(first, "a", FAILURE);
  const third = await trigger(database.store, "d", DAY_3);
  await rig.drain();
  expect(await runState(database.store, "d", third)).toBe("running");
  const runAfter = new Date();
  const request = { dagId: "d", logicalDate: DAY_2, runAfter, triggeredBy: "test" as const };
  const { runId: second } = await createDagRun(database.store, createDagCache(), "LocalExecutor", request, runAfter);
  await database.store.query("update dag_run set next_scan_at = now() where state = 'running'");
  await rig.drain();
  expect(await runStates([first, second, third])).toEqual(["failed", "running", "queued"]);
  await clearRun(database.store, "d", first, { user: "ada" });
  for (const run of [first, second, third]) {
    await rig.drain();
    await end(run, "a");
  }
  await rig.drain();
  expect(await runStates([first, second, third])).toEqual(["success", "success", "success"]);
});

test("two schedulers that hold two waiting runs give one place away for one cleared run, and the limit holds", async () => {
  await saveDagFixture(database.store, { dagId: "d", maxActiveRuns: 2, tasks: [{ taskId: "a", dependsOnPast: true }] });
  const setUp = await createRig(database, { work: () => null });
  const runs = [
    await trigger(database.store, "d", DAY_1),
    await trigger(database.store, "d", DAY_2),
    await trigger(database.store, "d", DAY_3),
  ];
  const [one = "", two = "", three = ""] = runs;
  await setUp.drain();
  await end(one, "a", FAILURE);
  await setUp.drain();
  expect(await runStates(runs)).toEqual(["failed", "running", "running"]);
  await clearRun(database.store, "d", one, { user: "ada" });
  await database.store.query("delete from task_event");
  const wake = (run: string) =>
    database.store.query("insert into task_event (dag_run_id) select id from dag_run where run_id = $1", [run]);
  // Each has one of the waiting runs, claimed at the same time.
  const gate = createGate();
  let isFirst = true;
  const slow = await createRig(database, {
    work: () => null,
    async pause(point) {
      if (point !== "after-claim" || !isFirst) return;
      isFirst = false;
      await gate.pass();
    },
  });
  const quick = await createRig(database, { work: () => null });
  await wake(two);
  const passing = slow.pass();
  await gate.entered;
  await wake(three);
  await quick.pass();
  gate.open();
  await passing;
  expect(await runStates(runs), "the first look took the only place that was asked for").toEqual([
    "running",
    "running",
    "queued",
  ]);
  await quick.drain();
  await end(one, "a");
  await slow.drain();
  await end(two, "a");
  await quick.drain();
  await end(three, "a");
  await slow.drain();
  expect(await runStates(runs)).toEqual(["success", "success", "success"]);
});

test("waitForDownstream: a task also waits for what directly follows it in the run before", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "a", dependsOnPast: true, waitForDownstream: true },
      { taskId: "b", upstream: ["a"] },
    ],
  });
  const rig = await createRig(database, { work: () => null });
  const first = await trigger(database.store, "d", DAY_1);
  const second = await trigger(database.store, "d", DAY_2);
  await rig.drain();
  await end(first, "a");
  await rig.drain();
  expect(await statesOf(database.store, second)).toEqual({ a: null, b: null });
  await end(first, "b");
  await rig.drain();
  expect(await statesOf(database.store, second)).toEqual({ a: "queued", b: null });
});

test("the first run of a DAG waits for nobody, whatever ignoreFirstDependsOnPast says", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "a", dependsOnPast: true, ignoreFirstDependsOnPast: false }],
  });
  const rig = await createRig(database, { work: () => null });
  const first = await trigger(database.store, "d", DAY_1);
  await rig.drain();
  expect(await statesOf(database.store, first)).toEqual({ a: "queued" });
});

test("a task that is new to the DAG starts at once only if ignoreFirstDependsOnPast lets it; one that was gone waits", async () => {
  const dag = (tasks: object[]) => saveDagFixture(database.store, { dagId: "d", tasks });
  const rig = await createRig(database, { work: () => null });
  await dag([{ taskId: "was" }]);
  const first = await trigger(database.store, "d", DAY_1);
  await dag([{ taskId: "stays" }]);
  const second = await trigger(database.store, "d", DAY_2);
  await rig.drain();
  await end(first, "was");
  await end(second, "stays");
  await dag([
    { taskId: "new", dependsOnPast: true },
    { taskId: "strict", dependsOnPast: true, ignoreFirstDependsOnPast: false },
    { taskId: "was", dependsOnPast: true },
    { taskId: "stays", dependsOnPast: true, waitForDownstream: true },
    { taskId: "later", upstream: ["stays"] },
  ]);
  const third = await trigger(database.store, "d", DAY_3);
  await rig.drain();
  expect(await statesOf(database.store, third)).toEqual({
    new: "queued",
    strict: null,
    was: null,
    // What follows it now did not yet then, and holds nobody up.
    stays: "queued",
    later: null,
  });
});

test("a DAG that catches up does not depend on runs by hand, another does", async () => {
  for (const [dagId, catchup] of [
    ["catching", true],
    ["plain", false],
  ] as const) {
    await saveDagFixture(database.store, { dagId, catchup, tasks: [{ taskId: "a", dependsOnPast: true }] });
    await trigger(database.store, dagId, DAY_1);
  }
  const rig = await createRig(database, { work: () => null });
  const second = [await trigger(database.store, "catching", DAY_2), await trigger(database.store, "plain", DAY_2)];
  await rig.drain();
  const { rows } = await database.store.query(
    "select dag_id as dag, state from task_instance where run_id = any($1) order by 1",
    [second],
  );
  expect(rows).toEqual([
    { dag: "catching", state: "queued" },
    { dag: "plain", state: null },
  ]);
});

test("waitForPastDependsBeforeSkipping: a task that would be skipped waits for the run before as well", async () => {
  const task = (taskId: string, wait: boolean) => ({
    taskId,
    upstream: ["first"],
    dependsOnPast: true,
    waitForPastDependsBeforeSkipping: wait,
  });
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "first" }, task("waits", true), task("hastes", false)] });
  const rig = await createRig(database, { work: () => null });
  const [one, two] = [await trigger(database.store, "d", DAY_1), await trigger(database.store, "d", DAY_2)];
  await rig.drain();
  await end(two, "first", SKIP);
  await rig.drain();
  expect(await statesOf(database.store, two)).toEqual({ first: "skipped", waits: null, hastes: "skipped" });
  await end(one, "first", SKIP);
  await rig.drain();
  expect(await statesOf(database.store, two)).toEqual({ first: "skipped", waits: "skipped", hastes: "skipped" });
});

const SKIP: Outcome = { state: "skipped", reason: "on purpose", xcoms: [] };
const OUTCOMES: Record<string, Outcome> = { s: SUCCESS, f: FAILURE, k: SKIP };
type Shape = "ss" | "sf" | "sk" | "ff" | "kk";
type Verdict = TaskInstanceState | "upstream_failed";

/** What a task with two upstreams comes to, by how those end: s success, f failed, k skipped. */
const MATRIX: Record<Exclude<TriggerRule, "all_done_setup_success">, Record<Shape, Verdict>> = {
  all_success: { ss: "success", sf: "upstream_failed", sk: "skipped", ff: "upstream_failed", kk: "skipped" },
  all_failed: { ss: "skipped", sf: "skipped", sk: "skipped", ff: "success", kk: "skipped" },
  all_done: { ss: "success", sf: "success", sk: "success", ff: "success", kk: "success" },
  all_done_min_one_success: { ss: "success", sf: "success", sk: "success", ff: "upstream_failed", kk: "skipped" },
  one_success: { ss: "success", sf: "success", sk: "success", ff: "upstream_failed", kk: "skipped" },
  one_failed: { ss: "skipped", sf: "success", sk: "skipped", ff: "success", kk: "skipped" },
  one_done: { ss: "success", sf: "success", sk: "success", ff: "success", kk: "skipped" },
  none_failed: { ss: "success", sf: "upstream_failed", sk: "success", ff: "upstream_failed", kk: "success" },
  none_failed_min_one_success: { ss: "success", sf: "upstream_failed", sk: "success", ff: "upstream_failed", kk: "skipped" },
  none_skipped: { ss: "success", sf: "success", sk: "skipped", ff: "success", kk: "skipped" },
  all_skipped: { ss: "skipped", sf: "skipped", sk: "skipped", ff: "skipped", kk: "success" },
  always: { ss: "success", sf: "success", sk: "success", ff: "success", kk: "success" },
};

test("every trigger rule comes to its verdict through the database, for every pair of upstream ends", async () => {
  const shapes: Shape[] = ["ss", "sf", "sk", "ff", "kk"];
  const rules = Object.entries(MATRIX);
  // A layer in between shows that a verdict without a run cascades.
  const tasks = shapes.flatMap((shape) => [
    { taskId: `${shape}_0` },
    { taskId: `${shape}_1` },
    ...rules.flatMap(([rule]) => [
      { taskId: `${shape}__${rule}`, triggerRule: rule, upstream: [`${shape}_0`, `${shape}_1`] },
      { taskId: `${shape}__${rule}__after`, upstream: [`${shape}__${rule}`] },
    ]),
  ]);
  await saveDagFixture(database.store, { dagId: "d", maxActiveTasks: 500, tasks });
  const rig = await createRig(database, {
    work({ ti }) {
      const [, shape, at] = /^(\w\w)_(\d)$/.exec(ti.taskId) ?? [];
      return shape ? (OUTCOMES[shape[Number(at)] ?? ""] ?? SUCCESS) : SUCCESS;
    },
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const states = await statesOf(database.store, runId);
  for (const [rule, verdicts] of rules) {
    for (const shape of shapes) {
      expect(states[`${shape}__${rule}`], `${rule} after ${shape}`).toBe(verdicts[shape]);
      expect(states[`${shape}__${rule}__after`], `after ${rule} after ${shape}`).toBe(verdicts[shape]);
    }
  }
  expect(await runState(database.store, "d", runId)).toBe("failed");
});

test("an upstream that fails decides all_success while its sibling still runs; one_success starts before the rest ends", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "fails" },
      { taskId: "runs" },
      { taskId: "all", upstream: ["fails", "runs"] },
      { taskId: "one_failed", triggerRule: "one_failed", upstream: ["fails", "runs"] },
      { taskId: "all_done", triggerRule: "all_done", upstream: ["fails", "runs"] },
    ],
  });
  const rig = await createRig(database, {
    work: ({ ti }) => (ti.taskId === "runs" ? null : ti.taskId === "fails" ? FAILURE : SUCCESS),
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({
    fails: "failed",
    runs: "queued",
    all: "upstream_failed",
    one_failed: "success",
    all_done: null,
  });
});
