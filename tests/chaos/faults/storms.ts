/** Far too much of something: cleared, waiting, held back or fanned out. */

import { decide } from "../../../src/scheduler/decide.ts";
import { clearRuns, createDagCache } from "../../../src/scheduler/index.ts";
import { createTestApi } from "../../support/public-api.ts";
import { CALM, calmDag, playCalm } from "../bystander.ts";
import type { DagSpec, TaskSpec } from "../checker/index.ts";
import type { Fault } from "../fault.ts";
import { onRigs, type Rigs } from "../rigs.ts";

export const stormFaults: readonly Fault[] = [
  {
    number: 31,
    name: "clear-storm",
    injects: "every task instance of 30 runs cleared at once, where one run may be active",
    invariants: ["I5", "I6", "I9"],
    short: true,
    timeoutSec: 240,
    run: ({ random, isShort }) => {
      const width = isShort ? 10 : 334;
      const cleared = wide("cleared", width, { maxActiveRuns: 1 });
      return onRigs(
        { pools: [], dags: [calmDag(random), cleared] },
        async (rigs) => {
          const all = [await rigs.rig(), await rigs.rig()];
          await playCalm(rigs, all, isShort ? 5 : 20);
          for (let run = 0; run < 30; run++) await rigs.trigger("cleared");
          await rigs.untilDone(all, 120_000);
          const faultFromMs = Date.now();
          const touched = await clearRuns(rigs.database.store, createDagCache(), {
            by: { user: "ada" },
            dagId: "cleared",
            runs: { kind: "range", from: null, to: null },
            taskIds: null,
            directions: { upstream: false, downstream: false },
            states: null,
            resetRuns: true,
            preventRunning: false,
            dryRun: false,
          });
          await playCalm(rigs, all, isShort ? 5 : 20);
          await rigs.untilDone(all, 120_000);
          return {
            fired: touched.length >= 30 * width ? touched.length : 0,
            note: `${touched.length} instances cleared`,
            expect: { bystanders: { dagIds: [CALM], faultFromMs } },
          };
        },
        { isSteered: true },
      );
    },
  },
  {
    number: 35,
    name: "window-starvation",
    injects: "a run with far more tasks than the dispatcher looks at, of which one may be active",
    invariants: ["I5", "I9"],
    short: true,
    run: ({ random, isShort }) => {
      const crowd = isShort ? 1_000 : 10_000;
      const many = isShort ? 100 : 200;
      const dags = [calmDag(random), wide("crowd", crowd, { maxActiveTasks: 1 }), wide("many", many, { maxActiveTasks: many })];
      return onRigs({ pools: [], dags }, async (rigs) => {
        const settings = { maxInstancesPerQuery: 16 };
        const all = [await rigs.rig({ settings })];
        const alone = await passesOf(rigs, all, "many");
        await playCalm(rigs, all, isShort ? 5 : 20);
        const faultFromMs = Date.now();
        const runId = await rigs.trigger("crowd");
        for (let turn = 0; turn < 3; turn++) await all[0]?.pass();
        const beside = await passesOf(rigs, all, "many");
        await playCalm(rigs, all, isShort ? 5 : 20);
        const { rows } = await rigs.database.store.query<{ n: number }>(
          "select count(*)::int as n from task_instance where run_id = $1 and state = 'scheduled'",
          [runId],
        );
        const waiting = rows[0]?.n ?? 0;
        await endByHand(rigs, runId, all);
        const slower = beside > 2 * alone ? [`${many} tasks took ${beside} passes beside the crowd, ${alone} alone`] : [];
        return {
          fired: waiting > crowd / 2 ? waiting : 0,
          note: `${waiting} waited; ${many} tasks took ${beside} passes, ${alone} alone`,
          faults: [{ invariant: "I9" as const, faults: slower }],
          expect: { isSteered: true, bystanders: { dagIds: [CALM], faultFromMs } },
        };
      });
    },
  },
  {
    number: 36,
    name: "mostly-blocked",
    injects: "tens of thousands of unfinished tasks that pools, limits and upstreams hold back, and ten that may run",
    invariants: ["I5", "I9"],
    short: true,
    run: ({ isShort }) => {
      const runs = isShort ? 2 : 10;
      const dags = [
        wide("no_slots", 1_000, { maxActiveTasks: 5_000, maxActiveRuns: 100 }, { pool: "none" }),
        wide("one_by_one", 1_000, { maxActiveTasks: 1, maxActiveRuns: 100 }),
        wide("held", 1_000, { maxActiveTasks: 5_000, maxActiveRuns: 100 }),
        wide("same_task", 1_000, { maxActiveTasks: 5_000, maxActiveRuns: 100 }, { maxActiveTisPerDag: 1 }),
        wide("narrow", 1_000, { maxActiveTasks: 5_000, maxActiveRuns: 100 }, { pool: "tight", poolSlots: 3 }),
        wide("free", 10, { maxActiveTasks: 5_000, maxActiveRuns: 1_000 }),
      ];
      return onRigs(
        {
          pools: [
            { name: "none", slots: 0 },
            { name: "tight", slots: 2 },
          ],
          dags,
        },
        async (rigs) => {
          const { store } = rigs.database;
          for (const { dagId } of dags.slice(0, -1)) for (let run = 0; run < runs; run++) await rigs.trigger(dagId);
          const setting = await rigs.rig({ slots: 0, settings: { maxRunsToEvaluate: 200 } });
          for (let turn = 0; turn < 3; turn++) await setting.pass();
          // `held` waits for its first task, which never ends here; the tasks that its other limits allow run.
          await store.query("update task_instance set state = null where dag_id = 'held' and state = 'scheduled'");
          await store.query("delete from task_event");
          const holding = await rigs.rig({ work: () => null });
          for (let turn = 0; turn < 30 && (await decide(holding.resources, holding.options, false)).queued > 0; turn++)
            await holding.executor.settled();
          await store.query("analyze task_instance");
          const { rows } = await store.query<{ n: number }>(
            "select count(*)::int as n from task_instance where state is null or state = 'scheduled'",
          );
          const blocked = rows[0]?.n ?? 0;
          const took: number[] = [];
          const wrong: string[] = [];
          const rig = await rigs.rig();
          for (let round = 0; round < (isShort ? 30 : 200); round++) {
            const runId = await rigs.trigger("free");
            await store.query("update dag_run set state = 'running', start_date = now() where run_id = $1", [runId]);
            await store.query(
              "update task_instance set state = 'scheduled', scheduled_dttm = now(), try_number = 1 where run_id = $1",
              [runId],
            );
            const began = performance.now();
            const { queued } = await decide(rig.resources, rig.options, false);
            took.push(performance.now() - began);
            if (queued !== 10) wrong.push(`${queued} of the 10 that may run were queued`);
            await rig.executor.settled();
          }
          const p99 = [...took].sort((a, b) => a - b)[Math.floor(took.length * 0.99) - 1] ?? 0;
          if (p99 >= 250) wrong.push(`p99 of a dispatch is ${Math.round(p99)} ms; the bound is 250 ms`);
          await store.query(
            "update task_instance set state = 'skipped' where state is null or state in ('scheduled', 'queued', 'running')",
          );
          await store.query("update dag_run set state = 'success', end_date = now() where state in ('queued', 'running')");
          return {
            fired: blocked > runs * 4_000 ? blocked : 0,
            note: `${blocked} blocked, p99 ${p99.toFixed(1)} ms`,
            faults: [{ invariant: "I9" as const, faults: [...new Set(wrong)] }],
            expect: { isSteered: true },
          };
        },
      );
    },
  },
  {
    number: 46,
    name: "fan-out-bomb",
    injects: "tasks mapped over thousands of items, over none and over what failed, while people look at them",
    invariants: ["I3", "I5", "I7", "I9"],
    short: true,
    timeoutSec: 240,
    run: ({ random, isShort }) => {
      const width = isShort ? 800 : 10_000;
      const dags = [
        calmDag(random),
        mapped("bomb", { mapLength: width }),
        mapped("empty", { mapLength: 0 }),
        mapped("broken", { failTries: 9 }),
      ];
      return onRigs({ pools: [], dags }, async (rigs) => {
        const { store } = rigs.database;
        const all = [await rigs.rig(), await rigs.rig()];
        await playCalm(rigs, all, isShort ? 5 : 20);
        const faultFromMs = Date.now();
        const runId = await rigs.trigger("bomb");
        for (const dagId of ["empty", "broken"]) await rigs.trigger(dagId);
        const api = await createTestApi(rigs.database.open());
        const wrong: string[] = [];
        let slowestMs = 0;
        let most = 0;
        const ask = async (path: string) => {
          const began = performance.now();
          const { status } = await api.ask("GET", path);
          slowestMs = Math.max(slowestMs, performance.now() - began);
          if (status !== 200) wrong.push(`${path} answered ${status}`);
        };
        for (let round = 0; round < (isShort ? 3 : 10); round++) {
          await playCalm(rigs, all, 2);
          for (const path of ["/taskInstances?limit=100", "/taskInstances?limit=100&offset=500", ""])
            await ask(`/api/v2/dags/bomb/dagRuns/${encodeURIComponent(runId)}${path}`);
          const { rows } = await store.query<{ n: number }>(
            "select count(*)::int as n from task_instance where run_id = $1 and task_id = 'each' and map_index >= 0",
            [runId],
          );
          most = Math.max(most, rows[0]?.n ?? 0);
        }
        await rigs.untilDone(all, 200_000);
        if (most !== width) wrong.push(`${most} instances of ${width}`);
        if (slowestMs > 1_000) wrong.push(`the API took ${Math.round(slowestMs)} ms for an answer`);
        return {
          fired: most,
          note: `${width} wide, slowest answer ${Math.round(slowestMs)} ms`,
          faults: [{ invariant: "I9" as const, faults: wrong }],
          expect: { bystanders: { dagIds: [CALM], faultFromMs } },
        };
      });
    },
  },
];

/** A list, a task for each of its elements, and one after them. */
function mapped(dagId: string, list: Partial<TaskSpec>): DagSpec {
  const plain = { retries: 0, failTries: 0, durationMs: 0 };
  const tasks: TaskSpec[] = [
    { ...plain, taskId: "list", upstream: [], ...list },
    { ...plain, taskId: "each", upstream: ["list"], mappedOver: "list" },
    { ...plain, taskId: "sum", upstream: ["each"] },
  ];
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 16, tasks };
}

/** One task, and `width` tasks after it. */
function wide(dagId: string, width: number, limits: Partial<DagSpec>, each: Partial<TaskSpec> = {}): DagSpec {
  const plain = (taskId: string, upstream: string[], more: Partial<TaskSpec>): TaskSpec => ({
    taskId,
    upstream,
    retries: 0,
    failTries: 0,
    durationMs: 0,
    ...more,
  });
  const tasks = Array.from({ length: width - 1 }, (_, at) => plain(`w${at}`, ["first"], each));
  return { dagId, schedule: null, maxActiveTasks: 64, maxActiveRuns: 16, ...limits, tasks: [plain("first", [], {}), ...tasks] };
}

/** Number of passes until a run of the DAG has ended. */
async function passesOf(rigs: Rigs, all: readonly Awaited<ReturnType<Rigs["rig"]>>[], dagId: string): Promise<number> {
  const runId = await rigs.trigger(dagId);
  for (let passes = 1; passes < 2_000; passes++) {
    for (const rig of all) {
      await rig.pass();
      await rig.executor.settled();
    }
    const { rows } = await rigs.database.store.query<{ state: string }>("select state from dag_run where run_id = $1", [runId]);
    if (rows[0]?.state === "success") return passes;
  }
  return 2_000;
}

async function endByHand(rigs: Rigs, runId: string, all: readonly Awaited<ReturnType<Rigs["rig"]>>[]): Promise<void> {
  for (const rig of all) await rig.executor.settled();
  await rigs.database.store.query(
    "update task_instance set state = 'skipped' where run_id = $1 and (state is null or state in ('scheduled', 'queued'))",
    [runId],
  );
  await rigs.database.store.query("update dag_run set state = 'success', end_date = now() where run_id = $1", [runId]);
}
