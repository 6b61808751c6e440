import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import {
  createRig,
  createSchedulerDatabase,
  makeTrialsDue,
  type Rig,
  runState,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import { createDagCache, pass } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const setData = (sql: string) => database.store.query(`update serialized_dag set data = ${sql} where dag_id = 'bad'`);
const poison = () => setData("jsonb_set(data::jsonb, '{schemaVersion}', '99')::json");
const heal = () => setData("jsonb_set(data::jsonb, '{schemaVersion}', '1')::json");
const handedTo = (rig: Rig) => rig.executor.handed.map(({ ti }) => ti.dagId);

/** Tasks of both DAGs stand scheduled; the bad one's come first. */
async function scheduleBoth(): Promise<Record<"bad" | "good", string>> {
  const tasks = [{ taskId: "t", priorityWeight: 1_000 }];
  await saveDagFixture(database.store, { dagId: "bad", tasks });
  await saveDagFixture(database.store, { dagId: "good", tasks: [{ taskId: "t" }] });
  const runs = { bad: await trigger(database.store, "bad"), good: await trigger(database.store, "good") };
  const evaluating = await createRig(database, { slots: 0 });
  await evaluating.drain();
  return runs;
}

test("a scheduled task whose DAG version cannot be read keeps no other from being queued, and goes on when it can", async () => {
  const runs = await scheduleBoth();
  await poison();
  const rig = await createRig(database);
  await rig.drain();
  expect(handedTo(rig)).toEqual(["good"]);
  expect(await runState(database.store, "good", runs.good)).toBe("success");
  await heal();
  await rig.pass();
  expect(handedTo(rig)).toEqual(["good"]);
  await makeTrialsDue(rig);
  await rig.drain();
  expect(handedTo(rig)).toEqual(["good", "bad"]);
});

test("a version that becomes unreadable between queueing and hand-over gives its try back, and the others are handed over", async () => {
  await scheduleBoth();
  let isQueued = false;
  const rig = await createRig(database, {
    work: () => null,
    pause: async (at) => {
      if (at !== "after-queue-commit" || isQueued) return;
      isQueued = true;
      await poison();
    },
  });
  // Remembers nothing, so the second look is at the database again.
  await pass({ ...rig.resources, dags: createDagCache(0) }, rig.options);
  expect(isQueued).toBe(true);
  expect(handedTo(rig)).toEqual(["good"]);
  const { rows } = await database.store.query("select dag_id as dag, state from task_instance order by 1");
  expect(rows).toEqual([
    { dag: "bad", state: "scheduled" },
    { dag: "good", state: "queued" },
  ]);
});

test("a stored version that lost a task starts none of those that wait for it", async () => {
  await saveDagFixture(database.store, { dagId: "bad", tasks: [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }] });
  const runId = await trigger(database.store, "bad");
  await setData("jsonb_set(data::jsonb, '{tasks}', (data::jsonb -> 'tasks') - 0)::json");
  const rig = await createRig(database);
  await rig.drain();
  expect(handedTo(rig)).toEqual([]);
  expect(await runState(database.store, "bad", runId)).toBe("running");
});
