import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { SUCCESS } from "../../tests/support/fake-executor.ts";
import {
  createGate,
  createRig,
  createSchedulerDatabase,
  type Rig,
  type RigOptions,
  runState,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import type { ExecuteTask, Outcome, TaskInstanceState } from "../contracts/index.ts";
import { clearInstances, lockRun, restartRun } from "../store/index.ts";
import { repinToVersion } from "./commands/backfill/fill-backfill.ts";
import { clearRuns, createDagCache, finishDeferred, type SchedulerOptions } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const over = (taskId: string) => ({ kind: "expand", inputs: [{ name: "x", source: { type: "xcom", taskId } }] });
const literal = (length: number) => ({ kind: "expand", inputs: [{ name: "x", source: { type: "literal", length } }] });
const TASKS = [
  { taskId: "list" },
  { taskId: "each", upstream: ["list"], mapping: over("list") },
  { taskId: "sum", upstream: ["each"] },
];

const listOf = (length: number): Outcome => ({
  state: "success",
  xcoms: [{ key: "return_value", value: Array.from({ length }, (_, at) => at) }],
  mapLength: length,
  skipTasks: [],
});

/** A rig whose task "list" returns a list of that length; all other tasks succeed. */
function rigWith(length: () => number, options: RigOptions = {}): Promise<Rig> {
  const work = ({ ti }: ExecuteTask) => (ti.taskId === "list" ? listOf(length()) : SUCCESS);
  return createRig(database, { startsFirst: true, work, ...options });
}

async function states(runId: string): Promise<Record<string, TaskInstanceState | null>> {
  const { rows } = await database.store.query<{ name: string; state: TaskInstanceState | null }>(
    `select task_id || case when map_index < 0 then '' else '[' || map_index || ']' end as name, state
       from task_instance where run_id = $1 order by task_id, map_index`,
    [runId],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.state]));
}

const clear = (runId: string, tasks: readonly (string | { taskId: string; mapIndex: number })[], downstream = false) =>
  clearRuns(database.store, createDagCache(), {
    by: { user: "ada" },
    dagId: "d",
    runs: { kind: "one", runId, past: false, future: false },
    taskIds: tasks.map((one) => (typeof one === "string" ? one : one.taskId)),
    only: tasks.flatMap((one) => (typeof one === "string" ? [] : one)),
    directions: { upstream: false, downstream },
    states: null,
    resetRuns: true,
    preventRunning: false,
    dryRun: false,
  });

test("a task is expanded over its upstream's result, and its run succeeds when all instances have", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  const rig = await rigWith(() => 3);
  const runId = await trigger(database.store, "d");
  await rig.drain();
  expect(await states(runId)).toEqual({
    "each[0]": "success",
    "each[1]": "success",
    "each[2]": "success",
    list: "success",
    sum: "success",
  });
  expect(await runState(database.store, "d", runId)).toBe("success");
  const { rows } = await database.store.query("select task_id, map_index, length from task_map");
  expect(rows).toEqual([{ task_id: "list", map_index: -1, length: 3 }]);
});

test("lists in the file are expanded when the run is made, an empty one is skipped", async () => {
  const tasks = [
    { taskId: "three", mapping: literal(3) },
    { taskId: "none", mapping: literal(0) },
    { taskId: "after", upstream: ["none"], triggerRule: "none_failed" },
  ];
  await saveDagFixture(database.store, { dagId: "d", tasks });
  const rig = await rigWith(() => 0);
  const runId = await trigger(database.store, "d");
  expect(await states(runId)).toEqual({ after: null, none: null, "three[0]": null, "three[1]": null, "three[2]": null });
  await rig.drain();
  expect(await states(runId)).toEqual({
    after: "success",
    none: "skipped",
    "three[0]": "success",
    "three[1]": "success",
    "three[2]": "success",
  });
});

test("an upstream that fails ends the mapped task as a whole, and cleared it is expanded", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  let isBroken = true;
  const failure: Outcome = { state: "failed", retryable: false, error: { name: "E", message: "m", stack: null }, xcoms: [] };
  const rig = await createRig(database, {
    startsFirst: true,
    work: ({ ti }) => (ti.taskId === "list" ? (isBroken ? failure : listOf(2)) : SUCCESS),
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  expect(await states(runId)).toEqual({ each: "upstream_failed", list: "failed", sum: "upstream_failed" });
  isBroken = false;
  await clear(runId, ["list"], true);
  await rig.drain();
  expect(await states(runId)).toEqual({ "each[0]": "success", "each[1]": "success", list: "success", sum: "success" });
});

test("cleared with a list of another length: what is too much is removed with its results, what is missing is made", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [...TASKS, { taskId: "again", upstream: ["each"], mapping: over("each") }],
  });
  let length = 3;
  const rig = await createRig(database, {
    startsFirst: true,
    work: ({ ti }) => {
      if (ti.taskId === "list") return listOf(length);
      if (ti.taskId !== "each") return SUCCESS;
      return { state: "success", xcoms: [{ key: "return_value", value: ti.mapIndex }], mapLength: 1, skipTasks: [] };
    },
  });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  for (const [next, live] of [
    [1, 1],
    [4, 4],
    [0, 0],
    [2, 2],
  ] as const) {
    length = next;
    await clear(runId, ["list"], true);
    await rig.drain();
    const found = await states(runId);
    for (const taskId of ["each", "again"]) {
      const mine = Object.entries(found).filter(([name, state]) => name.startsWith(`${taskId}[`) && state === "success");
      expect(
        mine.map(([name]) => name),
        `${taskId} after a list of ${next}`,
      ).toEqual(Array.from({ length: live }, (_, at) => `${taskId}[${at}]`));
    }
    expect(found.each, "the task as a whole").toBe(next === 0 ? "skipped" : undefined);
    const { rows } = await database.store.query<{ n: number }>("select count(*)::int as n from xcom where task_id = 'each'");
    expect(rows[0]?.n, "results of removed instances are gone").toBe(live);
    expect(await runState(database.store, "d", runId)).toBe("success");
  }
});

test("one cleared map index runs alone, under a new id", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  const rig = await rigWith(() => 3);
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const before = rig.executor.handed.length;
  const touched = await clear(runId, [{ taskId: "each", mapIndex: 1 }]);
  expect(touched.map(({ taskId, mapIndex }) => [taskId, mapIndex])).toEqual([["each", 1]]);
  await rig.drain();
  expect(rig.executor.handed.slice(before).map(({ ti }) => [ti.taskId, ti.mapIndex, ti.tryNumber])).toEqual([["each", 1, 2]]);
  expect(Object.values(await states(runId)).every((state) => state === "success")).toBe(true);
});

test("in a mapped group a cleared index takes its own index along downstream, and what follows the group as a whole", async () => {
  const tasks = [
    { taskId: "list" },
    { taskId: "a", upstream: ["list"], taskGroupId: "g" },
    { taskId: "b", upstream: ["a"], taskGroupId: "g" },
    { taskId: "sum", upstream: ["b"] },
  ];
  const taskGroups = [{ groupId: "g", parentGroupId: null, label: "g", mapping: over("list") }];
  await saveDagFixture(database.store, { dagId: "d", tasks, taskGroups });
  const rig = await rigWith(() => 3);
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const touched = await clear(runId, [{ taskId: "a", mapIndex: 2 }], true);
  expect(touched.map(({ taskId, mapIndex }) => [taskId, mapIndex])).toEqual([
    ["a", 2],
    ["b", 2],
    ["sum", -1],
  ]);
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("success");
});

test("two schedulers that expand the same task at once expand it once, and a scheduler that dies in between leaves nothing half", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  const gate = createGate();
  const held = await rigWith(() => 4, { pause: async (point) => (point === "after-expansion" ? gate.pass() : undefined) });
  const other = await rigWith(() => 4);
  const runId = await trigger(database.store, "d");
  while (Object.values(await states(runId)).filter((state) => state === "success").length === 0) {
    await other.pass();
    await other.executor.settled();
    if ((await states(runId)).list === "success") break;
  }
  const passed = held.pass();
  await gate.entered;
  // The other one sees nothing of what is not committed, and can take nothing.
  expect(await states(runId)).toEqual({ each: null, list: "success", sum: null });
  await other.pass();
  expect(await states(runId)).toEqual({ each: null, list: "success", sum: null });
  // The first one's connection dies as its process would.
  const { rows } = await database.store.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and state = 'idle in transaction'",
  );
  expect(rows, "the held scheduler must be in its transaction").toHaveLength(1);
  await database.store.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
  gate.open();
  await passed.catch(() => {});
  await expect
    .poll(async () => {
      await other.drain();
      return runState(database.store, "d", runId);
    })
    .toBe("success");
  expect(await states(runId)).toEqual({
    "each[0]": "success",
    "each[1]": "success",
    "each[2]": "success",
    "each[3]": "success",
    list: "success",
    sum: "success",
  });
  const handed = [...held.executor.handed, ...other.executor.handed].filter(({ ti }) => ti.taskId === "each");
  expect(handed, "each instance ran once").toHaveLength(4);
});

test("a deferred task whose trigger ends it leaves the length that others are mapped over", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  const rig = await rigWith(() => 0, { work: ({ ti }) => (ti.taskId === "list" ? null : SUCCESS) });
  const runId = await trigger(database.store, "d");
  await rig.pass();
  const { rows } = await database.store.query<{ id: string }>(
    "update task_instance set state = 'deferred' where run_id = $1 and task_id = 'list' returning id",
    [runId],
  );
  const outcome = { state: "success" as const, xcoms: [{ key: "return_value", value: { a: 1, b: 2 } }], skipTasks: [] };
  expect(await finishDeferred(database.store, createDagCache(), rows[0]?.id ?? "", outcome)).toBe(true);
  await rig.drain();
  expect(await states(runId)).toEqual({ "each[0]": "success", "each[1]": "success", list: "success", sum: "success" });
});

test("pools, retries and limits per run hold for each instance", async () => {
  const tasks = [TASKS[0], { ...TASKS[1], maxActiveTisPerDagrun: 2, retries: 1, retryDelaySec: 0 }, TASKS[2]];
  await saveDagFixture(database.store, { dagId: "d", tasks: tasks as object[] });
  let running = 0;
  let most = 0;
  const rig = await createRig(database, {
    startsFirst: true,
    async work({ ti }) {
      if (ti.taskId === "list") return listOf(6);
      if (ti.taskId !== "each") return SUCCESS;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      const isRetried = ti.mapIndex === 3 && ti.tryNumber === 1;
      return isRetried
        ? { state: "failed", retryable: true, error: { name: "E", message: "m", stack: null }, xcoms: [] }
        : SUCCESS;
    },
  });
  const runId = await trigger(database.store, "d");
  await expect
    .poll(async () => {
      await rig.drain();
      return runState(database.store, "d", runId);
    })
    .toBe("success");
  expect(most).toBeLessThanOrEqual(2);
  const tries = rig.executor.handed.filter(({ ti }) => ti.taskId === "each").map(({ ti }) => `${ti.mapIndex}#${ti.tryNumber}`);
  expect(tries.sort()).toEqual(["0#1", "1#1", "2#1", "3#1", "3#2", "4#1", "5#1"]);
});

test("a run moved to a version that maps other tasks gets their instances, and loses those of tasks mapped no more", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS });
  const rig = await rigWith(() => 3);
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const tasks = [
    { taskId: "list" },
    { taskId: "each", upstream: ["list"] },
    { taskId: "sum", upstream: ["each"], mapping: literal(2) },
    { taskId: "more", upstream: ["list"], mapping: over("list") },
  ];
  const versionId = await saveDagFixture(database.store, { dagId: "d", tasks });
  await database.store.transaction(async (tx) => {
    const run = await lockRun(tx, "d", runId);
    if (!run) throw new Error("no run");
    await clearInstances(tx, run.id, null, null, "cleared");
    await repinToVersion(tx, { dags: createDagCache(), defaultExecutor: "LocalExecutor" }, run);
    await tx.query("update dag_run set created_dag_version_id = $2 where id = $1", [run.id, versionId]);
    await restartRun(tx, run.id, true);
  });
  await rig.drain();
  expect(await states(runId)).toEqual({
    each: "success",
    "each[0]": "removed",
    "each[1]": "removed",
    "each[2]": "removed",
    list: "success",
    "more[0]": "success",
    "more[1]": "success",
    "more[2]": "success",
    "sum[0]": "success",
    "sum[1]": "success",
  });
  expect(await runState(database.store, "d", runId)).toBe("success");
});

test("a mapped fan-out costs no more statements per task than a static one", async () => {
  const options: Partial<SchedulerOptions> = {};
  const size = 1_000;
  await database.store.query("update slot_pool set slots = -1");
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS, maxActiveTasks: 10_000 });
  const fan = Array.from({ length: size }, (_, at) => ({ taskId: `t${at}`, upstream: ["list"] }));
  await saveDagFixture(database.store, {
    dagId: "static",
    maxActiveTasks: 10_000,
    tasks: [{ taskId: "list" }, ...fan, { taskId: "sum", upstream: fan.map(({ taskId }) => taskId) }],
  });
  const measure = async (dagId: string) => {
    const rig = await rigWith(() => size, { settings: options, startsFirst: false });
    const runId = await trigger(database.store, dagId);
    const sent = rig.store.statementCount();
    const startedAt = performance.now();
    await rig.drain();
    expect(await runState(database.store, dagId, runId)).toBe("success");
    return { statements: (rig.store.statementCount() - sent) / size, ms: performance.now() - startedAt };
  };
  await measure("d");
  await measure("static");
  const fixed = await measure("static");
  const mapped = await measure("d");
  expect(mapped.statements).toBeLessThanOrEqual(fixed.statements * 1.1 + 0.02);
});
