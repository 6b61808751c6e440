import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, runState, trigger } from "../../tests/support/scheduler-rig.ts";
import type { Outcome } from "../contracts/index.ts";
import { createBackfill } from "./commands/backfill/create-backfill.ts";
import { clearRuns, createDagCache } from "./index.ts";

// A task's own startDate and endDate say which runs have it.

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const DAILY = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
const day = (number: number) => new Date(Date.UTC(2025, 0, number));
const TASKS = [
  { taskId: "always" },
  { taskId: "from_2nd", startDate: "2025-01-02T00:00:00+00:00", upstream: ["always"] },
  { taskId: "until_2nd", endDate: "2025-01-02T00:00:00+00:00", upstream: ["always"] },
  { taskId: "last", upstream: ["from_2nd", "until_2nd"] },
];
const save = (given: object = {}) =>
  saveDagFixture(database.store, { dagId: "d", timetable: DAILY, catchup: true, tasks: TASKS, ...given });

/** Per logical date (day of January, or null), the instances there are, with the states they came to. */
async function instances(): Promise<Record<string, string>> {
  const { rows } = await database.store.query<{ day: string; tasks: string }>(
    `select coalesce(to_char(r.logical_date at time zone 'UTC', 'DD'), 'none') as day,
            string_agg(ti.task_id || case when ti.map_index < 0 then '' else '/' || ti.map_index end || ' ' || coalesce(ti.state, '-'), ', ' order by ti.task_id, ti.map_index) as tasks
       from dag_run r left join task_instance ti on ti.dag_run_id = r.id group by r.id order by 1`,
  );
  return Object.fromEntries(rows.map((row) => [row.day, row.tasks]));
}
const EXPECTED = {
  "01": "always success, last success, until_2nd success",
  "02": "always success, from_2nd success, last success, until_2nd success",
  "03": "always success, from_2nd success, last success",
};

test("runs by hand have the tasks whose dates they lie within, both ends included, and what follows the others goes on", async () => {
  await save();
  const rig = await createRig(database);
  for (const number of [1, 2, 3]) await trigger(database.store, "d", day(number));
  const without = await trigger(database.store, "d", null);
  await rig.drain();
  expect(await instances()).toEqual({
    ...EXPECTED,
    none: "always success, from_2nd success, last success, until_2nd success",
  });
  expect(await runState(database.store, "d", without)).toBe("success");
});

test("so do the runs of a backfill, and scheduled ones", async () => {
  await save({ endDate: "2025-01-03T00:00:00+00:00" });
  const request = {
    dagId: "d",
    fromDate: day(1),
    toDate: day(2),
    dagRunConf: null,
    reprocessBehavior: "none" as const,
    maxActiveRuns: 2,
    runBackwards: false,
    runOnLatestVersion: true,
    triggeringUserName: null,
  };
  const resources = { store: database.store, dags: createDagCache(), defaultExecutor: "LocalExecutor" };
  await createBackfill(resources, request, new Date("2025-02-01T00:00:00Z"));
  await database.store.query(
    `update dag set next_dagrun = '2025-01-03', next_dagrun_data_interval_start = '2025-01-03', next_dagrun_data_interval_end = '2025-01-04',
            next_dagrun_create_after = '2025-01-04'`,
  );
  const rig = await createRig(database, { settings: { maxRunsToCreate: 1 } });
  await rig.drain();
  const { rows } = await database.store.query("select 1 from dag_run where run_type = 'scheduled'");
  expect(rows, "the third day's is the schedule's").toHaveLength(1);
  expect(await instances()).toEqual(EXPECTED);
});

test("the dates are read in the DAG's zone where they name none, and a mapped group does without the task", async () => {
  const mapping = { kind: "expand", inputs: [{ name: "x", source: { type: "xcom", taskId: "always" } }] };
  await save({
    timezone: "Europe/Berlin",
    taskGroups: [{ groupId: "g", parentGroupId: null, label: "g", mapping }],
    tasks: [
      { taskId: "always" },
      { taskId: "one", upstream: ["always"], taskGroupId: "g", startDate: "2025-01-02T00:00:00" },
      { taskId: "two", upstream: ["one", "always"], taskGroupId: "g" },
    ],
  });
  const list: Outcome = { state: "success", xcoms: [{ key: "return_value", value: [1, 2] }], mapLength: 2, skipTasks: [] };
  const rig = await createRig(database, { work: () => list });
  await trigger(database.store, "d", new Date("2025-01-01T22:59:59Z"));
  await trigger(database.store, "d", new Date("2025-01-01T23:00:00Z"));
  await rig.drain();
  const { rows } = await database.store.query<{ tasks: string[] }>(
    `select array_agg(ti.task_id || '/' || ti.map_index || ' ' || ti.state order by ti.task_id, ti.map_index) as tasks
       from dag_run r join task_instance ti on ti.dag_run_id = r.id group by r.id order by r.logical_date`,
  );
  const two = ["two/0 success", "two/1 success"];
  expect(rows.map((row) => row.tasks)).toEqual([
    ["always/-1 success", ...two],
    ["always/-1 success", "one/0 success", "one/1 success", ...two],
  ]);
});

test("a run that is cleared onto the DAG's current version gets and loses tasks by their dates there", async () => {
  await save();
  const rig = await createRig(database);
  const runId = await trigger(database.store, "d", day(1));
  await rig.drain();
  const tasks = TASKS.map(({ taskId, upstream = [] }) => ({
    taskId,
    upstream,
    ...(taskId === "until_2nd" ? { endDate: "2024-12-31T00:00:00+00:00" } : {}),
  }));
  await save({ tasks: [...tasks, { taskId: "not_yet", startDate: "2025-01-02T00:00:00+00:00" }] });
  await clearRuns(database.store, createDagCache(), {
    by: { user: "ada" },
    dagId: "d",
    runs: { kind: "one", runId, past: false, future: false },
    taskIds: null,
    directions: { upstream: false, downstream: false },
    states: null,
    resetRuns: true,
    preventRunning: false,
    dryRun: false,
    onLatestVersion: { defaultExecutor: "LocalExecutor" },
  });
  await rig.drain();
  expect(await instances()).toEqual({ "01": "always success, from_2nd success, last success, until_2nd removed" });
});
