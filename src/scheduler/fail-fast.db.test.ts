import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import { beatTries, findRun, findStopReasons, startTries } from "../store/index.ts";
import { finishByOutcome } from "./index.ts";
import { failSilentTries } from "./watch-silence.ts";

let database: TestDatabase;
let rig: Rig;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = await createRig(database, { work: () => null });
});
afterEach(() => database.drop());

const RUNNING = { leaving: ["running"], silentForSec: null } as const;

async function tryOf(taskId: string): Promise<string> {
  const { rows } = await database.store.query<{ id: string }>("select id from task_instance where task_id = $1", [taskId]);
  return rows[0]?.id ?? "";
}
async function startAll(...taskIds: string[]): Promise<void> {
  for (const taskId of taskIds)
    await startTries(database.store, [{ id: await tryOf(taskId), hostname: "h", unixname: "u", pid: 1 }]);
}

/** up and its teardown beside three roots; one of these has run, one runs, the last waits for both. */
async function begin(first: object = {}): Promise<string> {
  await saveDagFixture(database.store, {
    dagId: "d",
    failFast: true,
    tasks: [
      { taskId: "up", isSetup: true },
      { taskId: "down", isTeardown: true, triggerRule: "all_done_setup_success", upstream: ["up", "first"] },
      { taskId: "first", ...first },
      { taskId: "runs" },
      { taskId: "queued" },
      { taskId: "waits", upstream: ["first", "runs"] },
    ],
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  await startAll("up", "first", "runs");
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("up"), outcome: SUCCESS }], RUNNING);
  return runId;
}

test("the first final failure fails what runs and skips the rest at once; the teardown runs, and the run fails", async () => {
  const runId = await begin();
  const runs = await tryOf("runs");
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("first"), outcome: FAILURE }], RUNNING);
  const stopped = { up: "success", first: "failed", runs: "failed", queued: "skipped", waits: "skipped" };
  expect(await statesOf(database.store, runId), "before any scheduler looked").toEqual({ ...stopped, down: null });
  expect(await beatTries(database.store, [runs]), "the running one's worker learns of it").toEqual([]);
  expect(await startTries(database.store, [{ id: await tryOf("queued"), hostname: "h", unixname: "u", pid: 1 }])).toEqual([]);
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ ...stopped, down: "queued" });
  await startAll("down");
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("down"), outcome: SUCCESS }], RUNNING);
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("failed");
  const { rows } = await database.store.query("select task_id as task, extra from log where event = 'fail_fast'");
  expect(rows).toEqual([{ task: "first", extra: { failed: "first", stopped: 3 } }]);
  const why = 'its DAG has failFast, and task "first" failed';
  expect((await findStopReasons(database.store, [runs])).get(runs)).toBe(why);
  const run = await findRun(database.store, "d", runId);
  expect(run?.note).toBe(`Stopped: ${why}; task instances that had not ended: 3.`);
});

test("a failure that is retried stops nothing, nor does a teardown's", async () => {
  const runId = await begin({ retries: 1 });
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("first"), outcome: FAILURE }], RUNNING);
  expect(await statesOf(database.store, runId)).toMatchObject({ first: "up_for_retry", runs: "running", waits: null });
  await database.store.query("update task_instance set state = 'running', try_number = 1 where task_id = 'down'");
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("down"), outcome: FAILURE }], RUNNING);
  expect(await statesOf(database.store, runId)).toMatchObject({ down: "failed", runs: "running" });
});

test("a try that lost its worker stops its run, too", async () => {
  const runId = await begin();
  await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour' where task_id = 'first'");
  expect(await failSilentTries(rig.resources, rig.options)).toBe(1);
  expect(await statesOf(database.store, runId)).toMatchObject({ first: "failed", runs: "failed", waits: "skipped", down: null });
});

test("a failure in the middle fails the run although what follows it was only skipped", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    failFast: true,
    tasks: [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }],
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  await startAll("a");
  await finishByOutcome(database.store, rig.resources.dags, [{ id: await tryOf("a"), outcome: FAILURE }], RUNNING);
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "failed", b: "skipped" });
  expect(await runState(database.store, "d", runId)).toBe("failed");
});

test("two tasks that fail at once stop the run once, and neither is lost", async () => {
  const runId = await begin();
  const [first, runs] = [await tryOf("first"), await tryOf("runs")];
  const ended = await Promise.all(
    [first, runs].map((id) => finishByOutcome(database.store, rig.resources.dags, [{ id, outcome: FAILURE }], RUNNING)),
  );
  // The later one finds itself failed already, by the earlier one's doing.
  expect(ended.flat()).toHaveLength(1);
  expect(await statesOf(database.store, runId)).toMatchObject({ first: "failed", runs: "failed", queued: "skipped" });
});
