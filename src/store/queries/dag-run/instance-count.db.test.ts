import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../../../tests/support/database.ts";
import { createSchedulerDatabase, trigger } from "../../../../tests/support/scheduler-rig.ts";
import { deleteDagRun } from "../../../scheduler/commands/index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createSchedulerDatabase();
});
afterAll(() => database.drop());

const counts = async () =>
  (
    await database.store.query<{ known: number; counted: number }>(
      `select r.instance_count as known, (select count(*)::int from task_instance ti where ti.dag_run_id = r.id) as counted from dag_run r order by r.id`,
    )
  ).rows;

test("a run knows how many task instances it has, whoever adds or removes some", async () => {
  const { store } = database;
  await saveDagFixture(store, { dagId: "counted", maxActiveRuns: 9, tasks: [{ taskId: "a" }, { taskId: "b" }, { taskId: "c" }] });
  const first = await trigger(store, "counted");
  await trigger(store, "counted");
  expect(await counts()).toEqual([
    { known: 3, counted: 3 },
    { known: 3, counted: 3 },
  ]);
  await store.query(
    `insert into task_instance select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'map_index', n))).*
       from task_instance t cross join generate_series(0, 4) n where t.task_id = 'b'`,
  );
  await store.query("delete from task_instance where task_id = 'b' and map_index = -1 and run_id = $1", [first]);
  expect(await counts()).toEqual([
    { known: 7, counted: 7 },
    { known: 8, counted: 8 },
  ]);
  await deleteDagRun(store, "counted", first);
  expect(await counts()).toEqual([{ known: 8, counted: 8 }]);
});
