/**
 * Gauges that need database queries: pools, task instances by state, running runs. Only the eldest of several schedulers measures,
 * on timers separate from the loop; one that is not the eldest any more withdraws its gauges.
 */
import type { GaugeName, Reading } from "../platform/index.ts";
import {
  countByState,
  countRunningRuns,
  forgetRenderedFields,
  isEldestJob,
  type MeasuredState,
  measurePools,
} from "../store/index.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

type Measured = "pool.open_slots" | "pool.queued_slots" | "pool.running_slots" | "pool.deferred_slots" | "pool.scheduled_slots";

const isEldest = ({ store }: SchedulerResources, options: SchedulerOptions) =>
  isEldestJob(store, "SchedulerJob", options.jobId());

/** Pools, and the slots of this scheduler's own executors. */
export async function measureRoom(resources: SchedulerResources, options: SchedulerOptions): Promise<void> {
  const { store, metrics, executors } = resources;
  metrics.gauge(
    "executor.open_slots",
    [...executors.values()].map((one) => ({ labels: { executor: one.name }, value: Math.max(0, one.slotsAvailable()) })),
  );
  const pools = (await isEldest(resources, options)) ? await measurePools(store) : [];
  const tell = (name: Measured | "pool.starving_tasks", slotsOf: (pool: (typeof pools)[number]) => number | null) =>
    metrics.gauge(
      name,
      pools.flatMap((pool) => {
        const value = slotsOf(pool);
        return value === null ? [] : [{ labels: { pool_name: pool.pool }, value }];
      }),
    );
  tell("pool.open_slots", (pool) => pool.openSlots);
  tell("pool.queued_slots", (pool) => pool.queuedSlots);
  tell("pool.running_slots", (pool) => pool.runningSlots);
  tell("pool.deferred_slots", (pool) => pool.deferredSlots);
  tell("pool.scheduled_slots", (pool) => pool.scheduledSlots);
  tell("pool.starving_tasks", (pool) => pool.starving);
  const starving = pools.reduce((sum, pool) => sum + pool.starving, 0);
  metrics.gauge("scheduler.tasks.starving", pools.length === 0 ? [] : [{ labels: {}, value: starving }]);
}

export async function measureInstances(resources: SchedulerResources, options: SchedulerOptions): Promise<void> {
  const { store, metrics, executors } = resources;
  const eldest = await isEldest(resources, options);
  const counts = eldest ? await countByState(store) : [];
  for (const state of ["scheduled", "queued", "running", "deferred"] as const) {
    const series = new Map<string, Reading<`ti.${MeasuredState}`>>();
    for (const { queue, dagId, taskId, count } of counts.filter((one) => one.state === state)) {
      const key = `${queue}\n${dagId}\n${taskId}`;
      const labels = { queue, dag_id: dagId, task_id: taskId };
      series.set(key, { labels, value: count + (series.get(key)?.value ?? 0) });
    }
    metrics.gauge(`ti.${state}`, [...series.values()]);
  }
  const ofExecutors = (name: Extract<GaugeName, "executor.queued_tasks" | "executor.running_tasks">, state: string) =>
    metrics.gauge(
      name,
      (eldest ? [...executors.keys()] : []).map((executor) => ({
        labels: { executor },
        value: counts.filter((one) => one.executor === executor && one.state === state).reduce((sum, one) => sum + one.count, 0),
      })),
    );
  ofExecutors("executor.queued_tasks", "queued");
  ofExecutors("executor.running_tasks", "running");
}

export async function measureRuns(resources: SchedulerResources, options: SchedulerOptions): Promise<void> {
  const eldest = await isEldest(resources, options);
  const readings = eldest ? [{ labels: {}, value: await countRunningRuns(resources.store) }] : [];
  resources.metrics.gauge("scheduler.dagruns.running", readings);
}

/** Rendered fields are for people who look at recent runs; the eldest scheduler deletes old ones. */
export async function forgetOldFields(resources: SchedulerResources, options: SchedulerOptions): Promise<void> {
  if (options.runsWithRenderedFields <= 0 || !(await isEldest(resources, options))) return;
  await forgetRenderedFields(resources.store, options.runsWithRenderedFields);
}
