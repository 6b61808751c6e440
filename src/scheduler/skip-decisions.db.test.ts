import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import { type Outcome, SKIP_DECISION_KEY, type SkipDecisionRecord } from "../contracts/index.ts";
import { clearRun } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const deciding = (skipTasks: string[], decision: SkipDecisionRecord): Outcome => ({
  state: "success",
  xcoms: [{ key: SKIP_DECISION_KEY, value: decision }],
  skipTasks,
});

/** pick → left → join, pick → right → join; `pick` ends as the test says each time. */
async function play(first: Outcome) {
  const taken = { outcome: first };
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "pick" },
      { taskId: "left", upstream: ["pick"] },
      { taskId: "right", upstream: ["pick"], triggerRule: "none_failed" },
      { taskId: "join", upstream: ["left", "right"], triggerRule: "none_failed_min_one_success" },
    ],
  });
  const rig = await createRig(database, {
    startsFirst: true,
    work: ({ ti }) => (ti.taskId === "pick" ? taken.outcome : SUCCESS),
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  return { rig, runId, taken, states: () => statesOf(database.store, runId) };
}

test.each<[string, SkipDecisionRecord]>([
  ["followed", { followed: ["left"] }],
  ["skipped", { skipped: ["right"] }],
])("a task that a branch decided against is skipped again when it is cleared alone: %s", async (_form, decision) => {
  const { rig, runId, states } = await play(deciding(["right"], decision));
  const before = { pick: "success", left: "success", right: "skipped", join: "success" };
  expect(await states()).toEqual(before);
  const handed = rig.executor.handed.length;
  await clearRun(database.store, "d", runId, { user: "ada" }, { taskIds: ["right", "join"] });
  await rig.drain();
  expect(await states()).toEqual(before);
  expect(rig.executor.handed.slice(handed).map(({ ti }) => ti.taskId)).toEqual(["join"]);
});

test("the decision holds for a scheduler that never saw the run", async () => {
  const { runId, states } = await play(deciding(["right"], { followed: ["left"] }));
  await clearRun(database.store, "d", runId, { user: "ada" }, { taskIds: ["right", "left"] });
  const other = await createRig(database, { startsFirst: true });
  await other.drain();
  expect(await states()).toMatchObject({ left: "success", right: "skipped" });
});

test("a branch that is cleared too decides anew, and its old decision counts no more", async () => {
  const { rig, runId, taken, states } = await play(deciding(["right"], { followed: ["left"] }));
  taken.outcome = deciding(["left"], { followed: ["right"] });
  await clearRun(database.store, "d", runId, { user: "ada" });
  await rig.drain();
  expect(await states()).toEqual({ pick: "success", left: "skipped", right: "success", join: "success" });
  taken.outcome = SUCCESS;
  await clearRun(database.store, "d", runId, { user: "ada" });
  await rig.drain();
  expect(await states()).toEqual({ pick: "success", left: "success", right: "success", join: "success" });
});

test("what a task pushed under that key in another form decides nothing", async () => {
  const { rig, runId, states } = await play({
    state: "success",
    skipTasks: [],
    xcoms: [{ key: SKIP_DECISION_KEY, value: { followed: "left" } }],
  });
  await clearRun(database.store, "d", runId, { user: "ada" }, { taskIds: ["right"] });
  await rig.drain();
  expect(await states()).toMatchObject({ right: "success" });
});
