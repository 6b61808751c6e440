/** Schedulers on a test database: driven pass by pass, or as the real loop, any number of them. */

import type { TaskInstanceState } from "../../src/contracts/index.ts";
import {
  type Clock,
  createTokens,
  type Logger,
  type Metrics,
  silentLogger,
  silentMetrics,
  systemClock,
} from "../../src/platform/index.ts";
import {
  createDagCache,
  createDagRun,
  createSchedulerMemory,
  type PausePoint,
  pass,
  type Scheduler,
  type SchedulerOptions,
  type SchedulerResources,
  startScheduler,
} from "../../src/scheduler/index.ts";
import type { PassReport } from "../../src/scheduler/loop.ts";
import { ensurePool, findRun, type Store, startJob } from "../../src/store/index.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import { createFakeExecutor, type FakeExecutor, type FakeExecutorOptions } from "./fake-executor.ts";

export type RigOptions = FakeExecutorOptions & {
  settings?: Partial<SchedulerOptions>;
  pause?: (point: PausePoint) => Promise<void>;
  logger?: Logger;
  probeApi?: SchedulerResources["probeApi"];
  noteInTryLog?: SchedulerResources["noteInTryLog"];
  clock?: Clock;
  metrics?: Metrics;
  /** Executors in addition to the default one. */
  further?: readonly FakeExecutorOptions[];
};

/** One scheduler with its own connection pool, cache and executor: the view of a separate process. */
export type Rig = {
  readonly store: Store;
  readonly resources: SchedulerResources;
  readonly options: SchedulerOptions;
  readonly executor: FakeExecutor;
  /** One pass, with this rig's job. */
  pass(): Promise<PassReport>;
  /** Passes until there is nothing left to do and all outcomes have been reported. */
  drain(): Promise<void>;
  /** The loop, with its own job. */
  start(): Promise<Scheduler>;
};

/** Options of a scheduler that a test drives. */
export const SCHEDULER_OPTIONS: Omit<SchedulerOptions, "jobId"> = {
  parallelism: 10_000,
  maxRunsToCreate: 10,
  maxRunsToEvaluate: 20,
  maxInstancesPerQuery: 512,
  createScheduledRuns: true,
  fullScanSec: 60,
  idleSleepSec: 1,
  heartbeatSec: 0.2,
  healthThresholdSec: 30,
  orphanCheckSec: 15,
  silentTrySec: 40,
  silentTryCheckSec: 5,
  apiBeatSec: 5,
  apiOutageSec: 600,
  queuedTimeoutSec: 600,
  startTokenTtlSec: 86_400,
  queuedTimeoutCheckSec: 30,
  lazarusSec: 300,
  lazarusAttempts: 3,
  maxCallbacks: 20,
  maxPasses: -1,
  countIdlePassesOnly: false,
  runsWithRenderedFields: 30,
  poolMetricsSec: 5,
  instanceMetricsSec: 30,
  runMetricsSec: 30,
  triggerTimeoutCheckSec: 15,
};

export async function createRig(database: TestDatabase, given: RigOptions = {}): Promise<Rig> {
  const store = database.open();
  const dags = createDagCache();
  const executor = createFakeExecutor(store, dags, given);
  const executors = [executor, ...(given.further ?? []).map((one) => createFakeExecutor(store, dags, one))];
  const resources: SchedulerResources = {
    store,
    clock: given.clock ?? systemClock,
    logger: given.logger ?? silentLogger,
    metrics: given.metrics ?? silentMetrics,
    tokens: createTokens(new Uint8Array(48).fill(7)),
    dags,
    executors: new Map(executors.map((one) => [one.name, one])),
    ...createSchedulerMemory(),
    probeApi: given.probeApi ?? (async () => null),
    noteInTryLog: given.noteInTryLog ?? (async () => {}),
    pause: given.pause ?? (async () => {}),
  };
  const jobId = await startJob(store, { type: "SchedulerJob", hostname: "rig", pid: 1 });
  const options: SchedulerOptions = { ...SCHEDULER_OPTIONS, ...given.settings, jobId: () => jobId };
  return {
    store,
    resources,
    options,
    executor,
    pass: () => pass(resources, options),
    async drain() {
      for (;;) {
        const { more, busy } = await pass(resources, options);
        await executor.settled();
        if (!more && !busy) return;
      }
    },
    start: () => startScheduler(resources, options),
  };
}

/** Makes the next trial of items that are set aside due now. */
export async function makeTrialsDue(rig: Rig): Promise<void> {
  await rig.store.query("update set_aside set try_at = now()");
  rig.resources.aside.tryAtMs = 0;
}

export async function createSchedulerDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  await ensurePool(database.store, "default_pool", 128, "");
  return database;
}

/** Creates a manual run; returns its id. */
export async function trigger(db: Store, dagId: string, logicalDate: Date | null = null, now = new Date()): Promise<string> {
  const request = { dagId, logicalDate, triggeredBy: "test" as const };
  return (await createDagRun(db, createDagCache(), "LocalExecutor", request, now)).runId;
}

export async function runState(db: Store, dagId: string, runId: string): Promise<string | undefined> {
  return (await findRun(db, dagId, runId))?.state;
}

/** Task id → state. */
export async function statesOf(db: Store, runId: string): Promise<Record<string, TaskInstanceState | null>> {
  const { rows } = await db.query<{ task: string; state: TaskInstanceState | null }>(
    "select task_id as task, state from task_instance where run_id = $1 order by task_id",
    [runId],
  );
  return Object.fromEntries(rows.map((row) => [row.task, row.state]));
}

/** A gate that is closed until the test opens it: `entered` resolves when somebody waits at it. */
export function createGate(): { pass(): Promise<void>; entered: Promise<void>; open(): void } {
  let enter = () => {};
  let open = () => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    pass() {
      enter();
      return opened;
    },
    entered,
    open: () => open(),
  };
}
