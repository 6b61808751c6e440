import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE } from "../../tests/support/fake-executor.ts";
import { recordMetrics } from "../../tests/support/record-metrics.ts";
import { createRig, createSchedulerDatabase, runState, trigger } from "../../tests/support/scheduler-rig.ts";
import { endJob, holdSchedulerLock, setPool } from "../store/index.ts";
import { forgetOldFields, measureInstances, measureRoom, measureRuns } from "./measure.ts";
import { failSilentTries } from "./watch-silence.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const never = { work: () => null } as const;

test("only the eldest living scheduler measures; the next one takes over when it ends", async () => {
  const [first, second] = [recordMetrics(), recordMetrics()];
  const elder = await createRig(database, { metrics: first.metrics, ...never });
  const younger = await createRig(database, { metrics: second.metrics, ...never });
  await setPool(database.store, { pool: "small", slots: 2, description: null, includeDeferred: true });
  await setPool(database.store, { pool: "endless", slots: -1, description: null, includeDeferred: false });
  const tasks = Array.from({ length: 5 }, (_, at) => ({ taskId: `t${at}`, pool: "small" }));
  await saveDagFixture(database.store, { dagId: "d", tasks });
  await trigger(database.store, "d");
  await elder.pass();
  await elder.pass();
  const measure = async (rig: typeof elder) => {
    await measureRoom(rig.resources, rig.options);
    await measureInstances(rig.resources, rig.options);
    await measureRuns(rig.resources, rig.options);
  };
  await measure(elder);
  await measure(younger);
  const small = (of: typeof first, name: string) =>
    of.gauges.get(name)?.find(({ labels }) => labels.pool_name === "small")?.value;
  expect({
    open: small(first, "pool.open_slots"),
    queued: small(first, "pool.queued_slots"),
    scheduled: small(first, "pool.scheduled_slots"),
    starving: small(first, "pool.starving_tasks"),
    endless: first.gauges.get("pool.open_slots")?.some(({ labels }) => labels.pool_name === "endless"),
    allStarving: first.gauges.get("scheduler.tasks.starving"),
    runs: first.gauges.get("scheduler.dagruns.running"),
    executor: first.gauges.get("executor.queued_tasks"),
  }).toEqual({
    open: 0,
    queued: 2,
    scheduled: 3,
    starving: 3,
    endless: false,
    allStarving: [{ labels: {}, value: 3 }],
    runs: [{ labels: {}, value: 1 }],
    executor: [{ labels: { executor: "LocalExecutor" }, value: 2 }],
  });
  expect(first.gauges.get("ti.scheduled")?.map(({ value }) => value)).toEqual([1, 1, 1]);
  expect(["pool.open_slots", "ti.queued", "scheduler.dagruns.running"].map((name) => second.gauges.get(name))).toEqual([
    [],
    [],
    [],
  ]);
  expect(second.gauges.get("executor.open_slots")).toHaveLength(1);
  await endJob(database.store, elder.options.jobId());
  await measure(younger);
  expect(small(second, "pool.queued_slots")).toBe(2);
});

test("a run's end, its tasks' waits and a lost worker are told, once, by who decides them", async () => {
  const told = recordMetrics();
  const rig = await createRig(database, { metrics: told.metrics, ...never, startsFirst: true });
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "lost" }] });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour'");
  expect(await failSilentTries(rig.resources, rig.options)).toBe(1);
  expect(await failSilentTries(rig.resources, rig.options)).toBe(0);
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("failed");
  expect(told.of("task_instances_without_heartbeats_killed")).toMatchObject([
    { labels: { dag_id: "d", task_id: "lost" }, value: 1 },
  ]);
  expect(told.of("ti.finish")).toMatchObject([{ labels: { state: "failed" } }]);
  expect([told.sum("ti_failures"), told.of("task.scheduled_duration").length]).toEqual([1, 1]);
  expect(told.of("dagrun.duration.failed")).toMatchObject([{ labels: { dag_id: "d" } }]);
  expect(told.of("dagrun.first_task_scheduling_delay")).toEqual([]);
  expect(told.of("dagrun.dependency-check").length).toBeGreaterThan(0);
});

test("a scheduled run tells how late it and its first task started", async () => {
  const told = recordMetrics();
  const rig = await createRig(database, { metrics: told.metrics, startsFirst: true });
  await saveDagFixture(database.store, { dagId: "late" });
  await trigger(database.store, "late");
  await database.store.query("update dag_run set run_type = 'scheduled', run_after = now() - interval '100 seconds'");
  const scheduler = await rig.start();
  await expect.poll(() => told.of("dagrun.duration.success").length, { timeout: 10_000 }).toBe(1);
  await scheduler.stop();
  for (const name of ["dagrun.schedule_delay", "dagrun.first_task_scheduling_delay"]) {
    const [delay] = told.of(name);
    expect(delay?.labels, name).toEqual({ dag_id: "late" });
    expect(delay?.value, name).toBeGreaterThanOrEqual(100);
    expect(delay?.value, name).toBeLessThan(160);
  }
  expect(told.of("job_start")).toHaveLength(1);
  expect(told.of("job_end")).toHaveLength(1);
});

test("num_runs ends the loop after so many passes; with only_idle, those with work do not count", async () => {
  await saveDagFixture(database.store, { dagId: "d" });
  await trigger(database.store, "d");
  const settings = { maxPasses: 3, idleSleepSec: 0.01 };
  const told = recordMetrics();
  const hasty = await createRig(database, { settings, metrics: told.metrics, work: () => FAILURE });
  const first = await hasty.start();
  await first.finished;
  expect(told.of("scheduler.scheduler_loop_duration")).toHaveLength(3);
  await first.stop();
  const patient = await createRig(database, { settings: { ...settings, countIdlePassesOnly: true, maxPasses: 20 } });
  const runId = await trigger(database.store, "d");
  const second = await patient.start();
  await second.finished;
  await second.stop();
  expect(await runState(database.store, "d", runId)).toMatch(/success|running/);
});

test("rendered fields stay for the newest runs of each DAG, and for runs that have not ended", async () => {
  const rig = await createRig(database, { settings: { runsWithRenderedFields: 2 } });
  for (const dagId of ["a", "b"]) {
    await saveDagFixture(database.store, { dagId, tasks: [{ taskId: "t" }] });
    for (let at = 0; at < 4; at++) await trigger(database.store, dagId);
  }
  await database.store.query("update dag_run set state = 'success', run_after = now() + make_interval(secs => id)");
  await database.store.query("update dag_run set state = 'running' where id = (select min(id) from dag_run)");
  await database.store.query(
    "insert into rendered_task_instance_fields (dag_run_id, task_id, fields) select id, 't', '{}' from dag_run",
  );
  await forgetOldFields(rig.resources, rig.options);
  const { rows } = await database.store.query<{ id: number }>(
    "select dag_run_id as id from rendered_task_instance_fields order by 1",
  );
  expect(rows.map(({ id }) => id)).toEqual([1, 3, 4, 7, 8]);
});

test("the lock of a scheduler that wants to be alone is one's, comes free with it, and is taken again after a break", async () => {
  const [one, other] = [database.open(), database.open()];
  let isLost = false;
  const held = await holdSchedulerLock(one, () => {
    isLost = true;
  });
  expect(held).not.toBeNull();
  expect(await holdSchedulerLock(other, () => {})).toBeNull();
  const holder = "select pid from pg_locks where locktype = 'advisory' and objid = 727006 and granted";
  const { rows } = await database.store.query<{ pid: number }>(holder);
  await database.store.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
  await expect
    .poll(async () => (await database.store.query<{ pid: number }>(holder)).rows[0]?.pid ?? rows[0]?.pid, { timeout: 10_000 })
    .not.toBe(rows[0]?.pid);
  expect(isLost).toBe(false);
  await held?.release();
  // A session that was closed gives its locks back a moment later.
  let next: Awaited<ReturnType<typeof holdSchedulerLock>> = null;
  await expect.poll(async () => (next = await holdSchedulerLock(other, () => {})), { timeout: 5_000 }).not.toBeNull();
  await (next as Awaited<ReturnType<typeof holdSchedulerLock>>)?.release();
});
