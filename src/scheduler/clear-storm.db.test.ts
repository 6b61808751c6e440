import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, trigger } from "../../tests/support/scheduler-rig.ts";
import { clearRuns, createDagCache, type Scheduler } from "./index.ts";

const RUNS = 30;
const TASKS = 40;

let database: TestDatabase;
let schedulers: Scheduler[] = [];
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(async () => {
  await Promise.all(schedulers.map((one) => one.stop()));
  schedulers = [];
  await database.drop();
});

const endedRuns = async () =>
  (
    await database.store.query<{ count: number }>(
      "select count(*)::int as count from dag_run r where state = 'success' and not exists (select 1 from task_instance t where t.dag_run_id = r.id and t.state is distinct from 'success')",
    )
  ).rows[0]?.count;

test(`${RUNS * TASKS} task instances of ${RUNS} runs cleared at once: at no moment is more than one run active, and all end`, async () => {
  const tasks = Array.from({ length: TASKS }, (_, at) => ({ taskId: `t${at}`, upstream: at < TASKS / 2 ? [] : ["t0"] }));
  await saveDagFixture(database.store, { dagId: "d", maxActiveRuns: 1, maxActiveTasks: 1_000, tasks });
  for (let at = 0; at < RUNS; at++) await trigger(database.store, "d", new Date(Date.UTC(2025, 0, 1 + at)));
  await database.store.query("update dag_run set state = 'success', start_date = now(), end_date = now()");
  await database.store.query("update task_instance set state = 'success', try_number = 1, start_date = now(), end_date = now()");

  const rigs = [await createRig(database), await createRig(database)];
  schedulers = await Promise.all(rigs.map((rig) => rig.start()));
  const watcher = database.open();
  let highest = 0;
  let samples = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      // A run with a task on its way counts, whatever its own state says.
      const { rows } = await watcher.query<{ active: number }>(
        `select count(*)::int as active from dag_run r where state = 'running'
            or exists (select 1 from task_instance t where t.dag_run_id = r.id and t.state in ('scheduled', 'queued', 'running'))`,
      );
      highest = Math.max(highest, rows[0]?.active ?? 0);
      samples++;
    }
  })();
  const request = { dagId: "d", taskIds: null, directions: { upstream: false, downstream: false }, states: null };
  const cleared = await clearRuns(database.store, createDagCache(), {
    by: { user: "ada" },
    ...request,
    runs: { kind: "range", from: null, to: null },
    resetRuns: true,
    preventRunning: false,
    dryRun: false,
  });
  expect(cleared).toHaveLength(RUNS * TASKS);
  await expect.poll(endedRuns, { timeout: 25_000, interval: 100 }).toBe(RUNS);
  watching = false;
  await watch;
  expect(samples).toBeGreaterThan(50);
  expect(highest).toBe(1);
  const ids = rigs.flatMap((rig) => rig.executor.handed.map(({ ti }) => ti.id));
  expect(ids).toHaveLength(RUNS * TASKS);
  expect(new Set(ids).size).toBe(ids.length);
}, 40_000);
