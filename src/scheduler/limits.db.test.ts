import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type RigOptions, runState, trigger } from "../../tests/support/scheduler-rig.ts";
import type { Outcome } from "../contracts/index.ts";
import { sleep } from "../platform/index.ts";
import { fireTriggers, setPool } from "../store/index.ts";
import type { Scheduler } from "./index.ts";

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

const LIMITS = {
  pool: 5,
  maxActiveTasks: 7,
  maxActiveRuns: 2,
  perDag: 2,
  perRun: 3,
  parallelism: 6,
};
const ACTIVE = "('queued', 'running', 'restarting')";

/** The most that was active at once in one snapshot, per limit. */
const SAMPLE = `
with active as (select * from task_instance where state in ${ACTIVE})
select coalesce((select sum(pool_slots) from active where pool = 'small'), 0)::int as pool,
       coalesce((select max(n) from (select count(*) n from active group by dag_run_id) x), 0)::int as "maxActiveTasks",
       coalesce((select max(n) from (select count(*) n from dag_run where state = 'running' group by dag_id) x), 0)::int as "maxActiveRuns",
       (select count(*) from active where task_id like 'per_dag%')::int as "perDag",
       coalesce((select max(n) from (select count(*) n from active where task_id like 'per_run%' group by dag_run_id) x), 0)::int as "perRun",
       coalesce((select max(n) from (select count(*) n from active group by queued_by_job_id) x), 0)::int as parallelism`;
type Sample = typeof LIMITS;

/** Two schedulers work a load off while a connection of its own looks on without a pause. */
async function workOff(runs: readonly { dagId: string; runId: string }[], rigOptions: RigOptions) {
  const rigs = [await createRig(database, rigOptions), await createRig(database, rigOptions)];
  const watcher = database.open();
  const highest: Sample = { pool: 0, maxActiveTasks: 0, maxActiveRuns: 0, perDag: 0, perRun: 0, parallelism: 0 };
  let samples = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      const now = (await watcher.query<Sample>(SAMPLE)).rows[0];
      samples++;
      for (const key of Object.keys(highest) as (keyof Sample)[]) highest[key] = Math.max(highest[key], now?.[key] ?? 0);
    }
  })();
  schedulers = await Promise.all(rigs.map((rig) => rig.start()));
  await expect
    .poll(async () => (await Promise.all(runs.map((run) => runState(watcher, run.dagId, run.runId)))).join(), { timeout: 30_000 })
    .toBe(runs.map(() => "success").join());
  watching = false;
  await watch;
  const last = (await watcher.query<Sample>(SAMPLE)).rows[0];
  return { rigs, highest, samples, last };
}

/** Takes a moment to run, so that there is something to count. */
const briefly = async () => {
  await sleep(Math.random() * 6);
  return SUCCESS;
};

test("with two schedulers each try is handed to one executor once, and no limit is ever passed", async () => {
  await setPool(database.store, { pool: "small", slots: LIMITS.pool, description: null, includeDeferred: false });
  // Two instances of one task in one run exist only when mapped; runs of one DAG share `per_dag`.
  const tasks = [
    ...Array.from({ length: 12 }, (_, at) => ({ taskId: `big${at}`, pool: "small", poolSlots: 1 + (at % 3) })),
    ...Array.from({ length: 12 }, (_, at) => ({ taskId: `plain${at}` })),
    { taskId: "per_dag", maxActiveTisPerDag: LIMITS.perDag },
    { taskId: "per_run", maxActiveTisPerDagrun: LIMITS.perRun },
  ];
  const runs: { dagId: string; runId: string }[] = [];
  for (const dagId of ["one", "two", "three"]) {
    await saveDagFixture(database.store, {
      dagId,
      tasks,
      maxActiveTasks: LIMITS.maxActiveTasks,
      maxActiveRuns: LIMITS.maxActiveRuns,
    });
    for (let at = 0; at < 4; at++) runs.push({ dagId, runId: await trigger(database.store, dagId) });
  }
  const { rigs, highest, samples, last } = await workOff(runs, {
    startsFirst: true,
    work: briefly,
    settings: { parallelism: LIMITS.parallelism },
  });
  const ids = rigs.flatMap((rig) => rig.executor.handed.map((one) => one.ti.id));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(12 * tasks.length);
  for (const rig of rigs) expect(rig.executor.handed.length, "one scheduler did nothing").toBeGreaterThan(0);
  expect(samples).toBeGreaterThan(50);
  expect(highest.pool).toBeLessThanOrEqual(LIMITS.pool);
  expect(highest.maxActiveTasks).toBeLessThanOrEqual(LIMITS.maxActiveTasks);
  expect(highest.maxActiveRuns).toBe(LIMITS.maxActiveRuns);
  expect(highest.parallelism).toBeLessThanOrEqual(LIMITS.parallelism);
  expect(last).toEqual({ pool: 0, maxActiveTasks: 0, maxActiveRuns: 0, perDag: 0, perRun: 0, parallelism: 0 });
}, 60_000);

test.each([
  ["maxActiveTisPerDag", false, 3],
  ["maxActiveTisPerDag", true, 1],
  ["maxActiveTisPerDagrun", true, 2],
] as const)(
  "%s of 1 with maxActiveTisIncludeDeferred %s: of four instances in two runs %i work or are deferred at once",
  async (limit, counts, most) => {
    const mapping = (length: number) => ({ kind: "expand", inputs: [{ name: "x", source: { type: "literal", length } }] });
    const task = { taskId: "waits", [limit]: 1, maxActiveTisIncludeDeferred: counts };
    await saveDagFixture(database.store, { dagId: "d", tasks: [{ ...task, mapping: mapping(2) }, { taskId: "other" }] });
    const deferral: Outcome = {
      state: "deferred",
      classpath: "baram.DateTimeTrigger",
      triggerKwargs: {},
      timeoutSec: null,
      nextMethod: "executeComplete",
      nextKwargs: {},
    };
    let defers = true;
    const rig = await createRig(database, { work: ({ ti }) => (ti.taskId === "waits" && defers ? deferral : SUCCESS) });
    const runs = [await trigger(database.store, "d"), await trigger(database.store, "d")];
    const count = async (states: string) => {
      const { rows } = await database.store.query<{ n: number }>(
        `select count(*)::int as n from task_instance where task_id = 'waits' and state = any($1)`,
        [states.split(" ")],
      );
      return rows[0]?.n ?? 0;
    };
    await rig.drain();
    // Without the option each one defers and lets the next begin.
    expect(await count("deferred")).toBe(counts ? most : 4);
    expect(await count("queued running")).toBe(0);
    defers = false;
    for (let round = 0; round < 4; round++) {
      const { rows } = await database.store.query<{ id: number }>(
        "select trigger_id as id from task_instance where state = 'deferred'",
      );
      await fireTriggers(
        database.store,
        rows.map(({ id }) => ({ triggerId: id, event: Buffer.from("{}"), failure: null })),
      );
      await rig.drain();
    }
    for (const run of runs) expect(await runState(database.store, "d", run)).toBe("success");
  },
);

test("maxActiveTisPerDag holds over the runs of a DAG, maxActiveTisPerDagrun within each", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    maxActiveRuns: 30,
    tasks: [
      { taskId: "per_dag", maxActiveTisPerDag: LIMITS.perDag },
      { taskId: "per_run", maxActiveTisPerDagrun: LIMITS.perRun },
    ],
  });
  const runs: { dagId: string; runId: string }[] = [];
  for (let at = 0; at < 20; at++) {
    const runId = await trigger(database.store, "d");
    runs.push({ dagId: "d", runId });
    // Mapped instances, as an expansion would make them.
    await database.store.query(
      `insert into task_instance (dag_run_id, dag_id, run_id, task_id, map_index, dag_version_id, max_tries, retries, operator, pool, pool_slots, queue,
         executor, priority_weight, max_active_tis_per_dagrun)
       select dag_run_id, dag_id, run_id, task_id, n, dag_version_id, 0, 0, operator, pool, pool_slots, queue, executor, priority_weight, max_active_tis_per_dagrun
         from task_instance, generate_series(0, 7) n where run_id = $1 and task_id = 'per_run'`,
      [runId],
    );
  }
  const { highest, last } = await workOff(runs, { startsFirst: true, work: briefly });
  expect(highest.perDag).toBe(LIMITS.perDag);
  expect(highest.perRun).toBe(LIMITS.perRun);
  expect(last?.perDag).toBe(0);
}, 60_000);
