import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import { clearInstances, expandTasks, repinRun, startJob } from "../../index.ts";
import { SHOWN, settingColumns, TASK_INSTANCE_COLUMNS } from "./columns.ts";

let database: TestDatabase;
let jobId = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  jobId = await startJob(database.store, { type: "SchedulerJob", hostname: "h", pid: 1 });
});
afterAll(() => database.drop());
beforeEach(() => database.store.query("delete from dag_run"));

type Values = Record<string, unknown>;
const columns = Object.entries(TASK_INSTANCE_COLUMNS);
const settings = settingColumns().split(", ");

async function catalogue(table: string): Promise<Map<string, string>> {
  const { rows } = await database.store.query<{ name: string; type: string }>(
    "select column_name as name, data_type as type from information_schema.columns where table_name = $1",
    [table],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

async function rowsOf(table: string): Promise<Values[]> {
  return (await database.store.query<{ row: Values }>(`select to_jsonb(t) as row from ${table} t order by map_index`)).rows.map(
    ({ row }) => row,
  );
}

async function startRun(task: object): Promise<{ dagRunId: number; versionId: string }> {
  const versionId = await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t", ...task }] });
  await trigger(database.store, "d");
  const { rows } = await database.store.query<{ id: number }>("select id from dag_run");
  return { dagRunId: rows[0]?.id ?? 0, versionId };
}

test("every column is classified: whether the history keeps it, what a clear makes of it, and whether it is shown", async () => {
  const names = columns.map(([name]) => name);
  expect([...(await catalogue("task_instance")).keys()].sort()).toEqual(names.sort());
  const kept = columns.filter(([, { inHistory }]) => inHistory).map(([name]) => name);
  expect([...(await catalogue("task_instance_history")).keys()].sort()).toEqual([...kept, "reason"].sort());
  const shown = columns.filter(([, { hiddenBecause }]) => hiddenBecause === null).map(([name]) => name);
  expect([...SHOWN].sort()).toEqual(shown.sort());
});

test("a clear sets each column as classified and no other, and the history has the try's values", async () => {
  const { dagRunId } = await startRun({});
  const fixed = ["dag_run_id", "dag_id", "run_id", "task_id", "map_index", "dag_version_id", "id", "state", "queued_by_job_id"];
  const VALUES: Record<string, string> = {
    text: "'x'",
    integer: "7",
    bigint: "7",
    "double precision": "7",
    bytea: "'x'",
    "timestamp with time zone": "'2001-01-01'",
  };
  const filled = [...(await catalogue("task_instance"))].filter(([name]) => !fixed.includes(name));
  const set = filled.map(([name, type]) => `${name} = ${VALUES[type]}`).join(", ");
  await database.store.query(`update task_instance set ${set}, state = 'deferred', queued_by_job_id = $1`, [jobId]);
  const [before = {}] = await rowsOf("task_instance");
  expect(Object.entries(before).filter(([, value]) => value === null)).toEqual([]);
  await clearInstances(database.store, dagRunId, null, null, "why");
  const [after = {}] = await rowsOf("task_instance");
  for (const [name, { cleared }] of columns)
    expect(after[name] === before[name] ? "kept" : "changed", name).toBe(cleared === null ? "kept" : "changed");
  const [history = {}] = await rowsOf("task_instance_history");
  for (const [name, { inHistory }] of columns)
    if (inHistory && name !== "state" && name !== "stop_reason") expect(history[name], name).toEqual(before[name]);
  expect(history).toMatchObject({ state: "failed", reason: "cleared", stop_reason: "why" });
});

test("every setting is written with a new instance, copied to those a mapped task expands to, and follows the run's version", async () => {
  const given = {
    operator: "one",
    retries: 1,
    pool: "one",
    poolSlots: 2,
    queue: "one",
    executor: "One",
    priorityWeight: 3,
    maxActiveTisPerDag: 4,
    maxActiveTisPerDagrun: 5,
  };
  const { dagRunId, versionId } = await startRun(given);
  const settingsOf = async () =>
    (await rowsOf("task_instance")).map((row) => Object.fromEntries(settings.map((name) => [name, row[name]])));
  const [first = {}] = await settingsOf();
  expect(new Set(Object.values(first))).toEqual(new Set(Object.values(given)));
  await expandTasks(database.store, [{ dagRunId, taskId: "t", unmapped: "becomes 0", created: [1], revived: [], removed: [] }]);
  expect(await settingsOf()).toEqual([first, first]);
  const changed = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, typeof value === "number" ? value + 10 : `${value}2`]),
  );
  const [task] = serializedDag({ dagId: "d", tasks: [{ taskId: "t", ...changed }] }).tasks;
  if (!task) throw new Error("no task");
  await repinRun(database.store, dagRunId, versionId, [
    { task, mapIndex: -1, executor: "One2", priorityWeight: 13, isMapped: true },
  ]);
  const [, second = {}] = await settingsOf();
  expect(Object.entries(second).filter(([name, value]) => value === first[name])).toEqual([]);
});
