import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE, SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type Rig, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import type { ExecuteTask, JsonValue, Outcome } from "../contracts/index.ts";
import {
  findRun,
  findSmallInputs,
  findXcom,
  findXcomValues,
  mapLengths,
  setRenderedFields,
  setXcomByTry,
  startTries,
} from "../store/index.ts";
import { clearRuns, createDagCache, finishByOutcome } from "./index.ts";

// What is read of a task instance is what its present try left, whatever became of the tries before.

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const returns = (value: JsonValue): Outcome => ({
  state: "success",
  xcoms: [{ key: "return_value", value }],
  mapLength: Array.isArray(value) ? value.length : undefined,
  skipTasks: [],
});
const pushes = (outcome: Outcome, key: string, value: JsonValue): Outcome =>
  ({ ...outcome, xcoms: [...("xcoms" in outcome ? outcome.xcoms : []), { key, value }] }) as Outcome;

const rigOf = (work: (workload: ExecuteTask) => Outcome | null): Promise<Rig> => createRig(database, { work });
const clear = (runId: string, taskId: string, mapIndex?: number) =>
  clearRuns(database.store, createDagCache(), {
    by: { user: "ada" },
    dagId: "d",
    runs: { kind: "one", runId, past: false, future: false },
    taskIds: [taskId],
    only: mapIndex === undefined ? [] : [{ taskId, mapIndex }],
    directions: { upstream: false, downstream: true },
    states: null,
    resetRuns: true,
    preventRunning: false,
    dryRun: false,
  });

/** All that is stored of the run, and what a try that takes these tasks' results as inputs is given. */
async function readable(runId: string, taskIds: readonly string[]) {
  const dagRunId = (await findRun(database.store, "d", runId))?.id ?? -1;
  const wanted = taskIds.map((taskId) => ({ dagRunId, taskId, key: "return_value", mapIndex: null }));
  const inputs = await findSmallInputs(database.store, wanted, { inputBytes: 1_000, allBytes: 10_000 });
  const lengths = await mapLengths(
    database.store,
    taskIds.map((taskId) => ({ dagRunId, taskId })),
  );
  const { rows } = await database.store.query<{ name: string }>(
    `select task_id || '/' || map_index as name from xcom where dag_run_id = $1
     union all select 'fields of ' || task_id || '/' || map_index from rendered_task_instance_fields where dag_run_id = $1 order by 1`,
    [dagRunId],
  );
  return {
    inputs: Object.fromEntries(inputs.map((one) => [`${one.taskId}/${one.mapIndex}`, one.value])),
    lengths: Object.fromEntries(lengths.map((one) => [one.taskId, one.length])),
    stored: rows.map((row) => row.name),
  };
}

test("cleared with what follows, a task that does not run again has no value, no length and no rendered fields", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }, { taskId: "c", upstream: ["a", "b"], triggerRule: "all_done" }],
  });
  let fails = false;
  const rig = await rigOf(({ ti }) => (ti.taskId === "a" && fails ? FAILURE : returns([ti.taskId, ti.tryNumber])));
  const runId = await trigger(database.store, "d");
  await rig.drain();
  await database.store.query(
    "insert into rendered_task_instance_fields (dag_run_id, task_id, fields) select dag_run_id, task_id, '{}' from task_instance",
  );
  expect((await readable(runId, ["a", "b"])).inputs).toEqual({ "a/-1": ["a", 1], "b/-1": ["b", 1] });
  fails = true;
  await clear(runId, "a");
  expect(await readable(runId, ["a", "b", "c"]), "nothing is left before they run again").toEqual({
    inputs: {},
    lengths: {},
    stored: [],
  });
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "failed", b: "upstream_failed", c: "success" });
  expect(await readable(runId, ["a", "b"])).toEqual({ inputs: {}, lengths: {}, stored: ["c/-1"] });
  const ref = { dagId: "d", runId, taskId: "b", mapIndex: -1, key: "return_value" };
  expect(await findXcom(database.store, ref, false)).toBeNull();
});

test("a list over mapped instances holds no result of a cleared instance that did not succeed again", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "each", mapping: { kind: "expand", inputs: [{ name: "x", source: { type: "literal", length: 3 } }] } },
      {
        taskId: "over",
        upstream: ["each"],
        triggerRule: "all_done",
        mapping: { kind: "expand", inputs: [{ name: "x", source: { type: "xcom", taskId: "each" } }] },
      },
    ],
  });
  let again = false;
  const rig = await rigOf(({ ti }) => {
    if (ti.taskId !== "each") return SUCCESS;
    return again && ti.mapIndex === 1 ? FAILURE : ({ ...returns(`${ti.mapIndex}#${ti.tryNumber}`), mapLength: 1 } as Outcome);
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  again = true;
  await clear(runId, "each", 1);
  await clear(runId, "each", 2);
  await rig.drain();
  const ref = { dagId: "d", runId, taskId: "each", key: "return_value" };
  expect(await findXcomValues(database.store, ref, false)).toEqual(["0#1", "2#2"]);
  expect((await readable(runId, ["each"])).lengths).toEqual({ each: 2 });
  const { rows } = await database.store.query(
    "select map_index as at, state from task_instance where task_id = 'over' order by 1",
  );
  expect(rows).toEqual([
    { at: 0, state: "success" },
    { at: 1, state: "success" },
    { at: 2, state: "removed" },
  ]);
});

test("a retry begins without what the failed try pushed, also one that nobody ever starts; a poke that comes again keeps it", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a", retries: 1, retryDelaySec: 0 }, { taskId: "s" }] });
  const rig = await createRig(database, { work: () => null });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const idOf = async (taskId: string) =>
    (await database.store.query<{ id: string }>("select id from task_instance where task_id = $1", [taskId])).rows[0]?.id ?? "";
  const guard = { leaving: ["queued", "running"], silentForSec: null } as const;
  for (const taskId of ["a", "s"]) {
    const id = await idOf(taskId);
    await startTries(database.store, [{ id, hostname: "h", unixname: "u", pid: 1 }]);
    expect(await setXcomByTry(database.store, id, "pushed", 1)).toBe(true);
    await setRenderedFields(database.store, id, { x: 1 });
  }
  const rescheduleDate = new Date().toISOString();
  await finishByOutcome(
    database.store,
    createDagCache(),
    [
      { id: await idOf("a"), outcome: pushes(FAILURE, "last", 2) },
      { id: await idOf("s"), outcome: { state: "up_for_reschedule", rescheduleDate } },
    ],
    guard,
  );
  expect((await readable(runId, [])).stored, "until the retry its failed try's are shown").toEqual([
    "a/-1",
    "a/-1",
    "fields of a/-1",
    "fields of s/-1",
    "s/-1",
  ]);
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ a: "queued", s: "queued" });
  expect((await readable(runId, [])).stored).toEqual(["fields of s/-1", "s/-1"]);
  // As the scheduler ends a try that no worker took.
  await finishByOutcome(database.store, createDagCache(), [{ id: await idOf("a"), outcome: FAILURE }], {
    leaving: ["queued"],
    silentForSec: null,
  });
  await rig.drain();
  expect((await statesOf(database.store, runId)).a).toBe("failed");
  expect((await readable(runId, [])).stored).toEqual(["fields of s/-1", "s/-1"]);
});
