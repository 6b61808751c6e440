/** Schedulers in the test's own process, on a database with the recorder, for faults at an exact point. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecuteTask, Outcome } from "../../src/contracts/index.ts";
import { sleep } from "../../src/platform/index.ts";
import { ensurePool } from "../../src/store/index.ts";
import { saveDagFixture } from "../support/dag-fixture.ts";
import type { TestDatabase } from "../support/database.ts";
import { createRig, createSchedulerDatabase, type Rig, type RigOptions, trigger } from "../support/scheduler-rig.ts";
import { checkHistory, type DagSpec, type Expectation, type Invariant, readHistory, type TaskSpec } from "./checker/index.ts";
import type { FaultReport } from "./fault.ts";
import { installRecorder } from "./recorder.ts";
import type { Workload } from "./workload.ts";

export type Rigs = {
  readonly database: TestDatabase;
  readonly dags: readonly DagSpec[];
  /** A scheduler whose tasks behave as their DAG specifies, and write the trace as real ones do; `before` delays them. */
  rig(options?: RigOptions & { before?: (workload: ExecuteTask) => Promise<void> }): Promise<Rig>;
  trigger(dagId: string): Promise<string>;
  /** Passes of all these schedulers until every run has ended. A pass that throws is repeated, as the loop does. */
  untilDone(rigs: readonly Rig[], timeoutMs?: number): Promise<void>;
  /** The errors that `untilDone` caught. */
  readonly caught: string[];
  /** Removes the trace of a run or DAG that was deleted. */
  forgetTrace(id: string): void;
  /** Makes the job of a scheduler look dead. */
  silence(rig: Rig): Promise<void>;
};

export type Dealt = Pick<FaultReport, "fired" | "note"> & {
  faults?: { invariant: Invariant; faults: string[] }[];
  /** Parts of the expectation that are known only afterwards: since when the fault existed. */
  expect?: Partial<Expectation>;
};

export async function onRigs(
  workload: Workload,
  deal: (rigs: Rigs) => Promise<Dealt>,
  expect: Partial<Expectation> = {},
): Promise<FaultReport> {
  const database = await createSchedulerDatabase();
  const folder = mkdtempSync(join(tmpdir(), "baram-chaos-"));
  const trace = join(folder, "trace.ndjson");
  const caught: string[] = [];
  const begun = new Set<string>();
  try {
    for (const { name, slots } of workload.pools) await ensurePool(database.store, name, slots, "");
    await installRecorder(database.store);
    for (const dag of workload.dags) await saveSpec(database, dag);
    const rigs: Rigs = {
      database,
      dags: workload.dags,
      caught,
      rig: ({ before, ...options } = {}) =>
        createRig(database, {
          startsFirst: true,
          asksAgain: true,
          work: async (one) => {
            await before?.(one);
            const turn = `${one.ti.runId}/${one.ti.taskId}/${one.ti.tryNumber}`;
            const isResumed = begun.has(turn);
            begun.add(turn);
            return workAs(workload, trace, one, isResumed);
          },
          ...options,
        }),
      trigger: (dagId) => trigger(database.store, dagId),
      async untilDone(all, timeoutMs = 30_000) {
        const deadline = Date.now() + timeoutMs;
        for (;;) {
          for (const rig of all) {
            await rig.pass().catch((error: Error) => caught.push(error.message));
            await rig.executor.settled();
          }
          const { rows } = await database.store.query("select 1 from dag_run where state in ('queued', 'running') limit 1");
          if (rows.length === 0) return;
          if (Date.now() > deadline) throw new Error(`runs are still open: ${await tellOpen(database)}`);
          await sleep(2);
        }
      },
      forgetTrace(id) {
        const lines = existsSync(trace) ? readFileSync(trace, "utf8").split("\n") : [];
        writeFileSync(trace, lines.filter((line) => !line.includes(id)).join("\n"));
      },
      async silence(rig) {
        await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [
          rig.options.jobId(),
        ]);
      },
    };
    const { fired, note, faults = [], expect: seen } = await deal(rigs);
    const history = await readHistory(
      database.store,
      { trace, logFolder: null },
      { acknowledged: [], acknowledgedRuns: [], samples: [], serverLog: "" },
    );
    const verdicts = checkHistory(history, {
      dags: workload.dags,
      parallelism: 10_000,
      faultsEndedMs: Date.now(),
      recoverySec: 60,
      lossReasons: [],
      isSteered: false,
      maxConnections: 100,
      intervalMs: null,
      ...expect,
      ...seen,
    });
    return { fired, note, verdicts: [...verdicts, ...faults] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await database.drop();
  }
}

async function tellOpen({ store }: TestDatabase): Promise<string> {
  const { rows } = await store.query(
    `select dag_id, task_id, map_index, state, try_number from task_instance
      where state is null or state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed') limit 10`,
  );
  return JSON.stringify(rows);
}

async function saveSpec(database: TestDatabase, dag: DagSpec): Promise<void> {
  await saveDagFixture(database.store, {
    dagId: dag.dagId,
    maxActiveTasks: dag.maxActiveTasks,
    maxActiveRuns: dag.maxActiveRuns,
    tasks: specless(dag.tasks),
  });
}

/** Tasks as in a serialized DAG. */
export function specless(tasks: readonly TaskSpec[]): object[] {
  return tasks.map((spec) => {
    const { failTries: _fails, durationMs: _duration, mapLength: _length, defers: _defers, mappedOver, ...rest } = spec;
    // Tries run in this process here: they cannot be killed, so none ignores its signal.
    const { deafTries: _deaf, executionTimeout: _timeout, leaves: _leaves, ...task } = rest;
    return {
      ...task,
      ...(mappedOver
        ? { mapping: { kind: "expand", inputs: [{ name: "x", source: { type: "xcom", taskId: mappedOver } }] } }
        : {}),
      retryDelaySec: 0,
    };
  });
}

const DEFERRED: Outcome = {
  state: "deferred",
  classpath: "baram.triggers.DateTimeTrigger",
  triggerKwargs: { moment: "2999-01-01T00:00:00Z" },
  timeoutSec: null,
  nextMethod: "executeComplete",
  nextKwargs: {},
};

async function workAs(workload: Workload, trace: string, { ti }: ExecuteTask, resumed: boolean): Promise<Outcome> {
  const spec = workload.dags.find((dag) => dag.dagId === ti.dagId)?.tasks.find((task) => task.taskId === ti.taskId);
  const note = (what: string) => {
    const line = {
      what,
      dag: ti.dagId,
      run: ti.runId,
      task: ti.taskId,
      mapIndex: ti.mapIndex,
      tryNumber: ti.tryNumber,
      tryId: ti.id,
    };
    appendFileSync(
      trace,
      `${JSON.stringify({ ...line, pid: process.pid, wallMs: Date.now(), monotonicMs: Number(process.hrtime.bigint()) / 1e6 })}\n`,
    );
  };
  note("start");
  await sleep(Math.min(spec?.durationMs ?? 0, 3));
  if (spec?.defers && !resumed) return DEFERRED;
  if (ti.tryNumber <= (spec?.failTries ?? 0)) {
    note("fail");
    return { state: "failed", retryable: true, error: { name: "Error", message: "on purpose", stack: null }, xcoms: [] };
  }
  note("end");
  const value = { tryId: ti.id, tryNumber: ti.tryNumber };
  const mapLength = spec?.mapLength === undefined ? {} : { mapLength: spec.mapLength };
  return { state: "success", xcoms: [{ key: "return_value", value }], skipTasks: [], ...mapLength };
}
