import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import { createGate, createRig, createSchedulerDatabase, type Rig, trigger } from "../../tests/support/scheduler-rig.ts";
import { findRun } from "../store/index.ts";
import { finishByOutcome } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const isPaused = async () =>
  (await database.store.query<{ paused: boolean }>("select is_paused as paused from dag")).rows[0]?.paused;
const pausedLines = async () => (await database.store.query("select 1 from log where event = 'paused'")).rowCount;

async function runWith(rig: Rig, outcome: typeof FAILURE | typeof SUCCESS): Promise<void> {
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const { rows } = await database.store.query<{ id: string }>("select id from task_instance where run_id = $1", [runId]);
  const guard = { leaving: ["queued"] as const, silentForSec: null };
  await finishByOutcome(database.store, rig.resources.dags, [{ id: rows[0]?.id ?? "", outcome }], guard);
  await rig.drain();
}

test("so many failed runs in a row pause the DAG; a success in between starts the count anew", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }], maxConsecutiveFailedDagRuns: 2 });
  const rig = await createRig(database, { work: () => null });
  for (const outcome of [FAILURE, SUCCESS, FAILURE]) await runWith(rig, outcome);
  expect(await isPaused()).toBe(false);
  await runWith(rig, FAILURE);
  expect(await isPaused()).toBe(true);
  const { rows } = await database.store.query("select owner, extra from log where event = 'paused'");
  expect(rows).toEqual([{ owner: "scheduler", extra: { reason: "2 runs failed in a row" } }]);
});

test("a run whose tasks can never run is failed, and its note names the tasks", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: ["a", "b", "c", "d"].map((taskId) => ({ taskId })) });
  const rig = await createRig(database, { work: () => null });
  const runId = await trigger(database.store, "d");
  // A circle, which no DAG file can have: each task waits for the next, and the last for the first.
  await database.store.query(
    `update serialized_dag set data = jsonb_set(data::jsonb, '{tasks}', (
       select jsonb_agg(jsonb_set(t, '{upstream}', jsonb_build_array(data::jsonb -> 'tasks' -> (at::int % 4) ->> 'taskId')) order by at)
         from jsonb_array_elements(data::jsonb -> 'tasks') with ordinality as one(t, at)))::json`,
  );
  await rig.drain();
  expect(await findRun(database.store, "d", runId)).toMatchObject({
    state: "failed",
    note: "Failed: deadlock. These tasks wait for each other or for something that cannot happen, and none can run: a, b, c and 1 more.",
  });
});

test("two runs that fail at once in two schedulers pause the DAG together, with one line", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }], maxConsecutiveFailedDagRuns: 2 });
  const gate = createGate();
  let isHeld = false;
  const first = await createRig(database, {
    work: () => null,
    settings: { maxRunsToEvaluate: 1 },
    pause: async (point) => {
      if (isHeld && point === "after-claim") await gate.pass();
    },
  });
  const second = await createRig(database, { work: () => null, settings: { maxRunsToEvaluate: 1 } });
  const runs = [await trigger(database.store, "d"), await trigger(database.store, "d")];
  await first.drain();
  const { rows } = await database.store.query<{ id: string }>("select id from task_instance where run_id = any($1)", [runs]);
  const guard = { leaving: ["queued"] as const, silentForSec: null };
  const ends = rows.map(({ id }) => ({ id, outcome: FAILURE }));
  await finishByOutcome(database.store, first.resources.dags, ends, guard);
  isHeld = true;
  // The first has claimed its run when the second takes the other one, and neither sees the other's end until it commits.
  const one = first.pass();
  await gate.entered;
  isHeld = false;
  const two = second.pass();
  gate.open();
  await Promise.all([one, two]);
  await second.drain();
  expect(await isPaused()).toBe(true);
  expect(await pausedLines()).toBe(1);
});
