import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, trigger } from "../../tests/support/scheduler-rig.ts";

// What a task costs the database decides how far one database goes. The bounds stand a little above what is measured
// today, noted beside them: a change that passes one must say why it is worth it.

let database: TestDatabase;
let rig: Rig;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = await createRig(database);
});
afterEach(() => database.drop());

async function statementsPerTask(dagId: string, tasks: readonly object[]): Promise<number> {
  await saveDagFixture(database.store, { dagId, tasks, maxActiveTasks: 1_000 });
  await database.store.query("update slot_pool set slots = -1");
  const runId = await trigger(database.store, dagId);
  const before = rig.store.statementCount();
  await rig.drain();
  const sent = rig.store.statementCount() - before;
  expect(await runState(database.store, dagId, runId)).toBe("success");
  return sent / tasks.length;
}

test("a chain of 40 tasks stays within its SQL statements per task, the ends of the tries included", async () => {
  const tasks = Array.from({ length: 40 }, (_, at) => ({ taskId: `t${at}`, upstream: at === 0 ? [] : [`t${at - 1}`] }));
  // 14.6: two passes for each link, one that decides and one that finds nothing more.
  expect(await statementsPerTask("chain", tasks)).toBeLessThanOrEqual(16);
});

test("a fan-out of 200 tasks stays within its SQL statements per task", async () => {
  const tasks = [
    { taskId: "first" },
    ...Array.from({ length: 200 }, (_, at) => ({ taskId: `t${at}`, upstream: ["first"] })),
    { taskId: "last", upstream: Array.from({ length: 200 }, (_, at) => `t${at}`) },
  ];
  // 0.33
  expect(await statementsPerTask("fan", tasks)).toBeLessThanOrEqual(0.45);
});

test("a pass with nothing to do stays within its SQL statements, whatever stands in the database", async () => {
  for (let at = 0; at < 50; at++) {
    await saveDagFixture(database.store, { dagId: `d${at}` });
    await trigger(database.store, `d${at}`);
  }
  await rig.drain();
  const before = rig.store.statementCount();
  expect(await rig.pass()).toMatchObject({ more: false, busy: false });
  // 10, the begin and commit of two transactions among them.
  expect(rig.store.statementCount() - before).toBeLessThanOrEqual(10);
});
