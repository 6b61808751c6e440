/** Limits and retries at their edges: pools that change while their tasks run, and failures of all kinds. */
import { failSilentTries } from "../../../src/scheduler/watch-silence.ts";
import { deletePool, fireTriggers, listDagWarnings, setPool } from "../../../src/store/index.ts";
import type { Rig } from "../../support/scheduler-rig.ts";
import type { DagSpec, TaskSpec } from "../checker/index.ts";
import type { Fault } from "../fault.ts";
import { onRigs, type Rigs } from "../rigs.ts";

export const limitFaults: readonly Fault[] = [
  {
    number: 37,
    name: "pool-edges",
    injects:
      "pools shrunk to nothing, deleted and made anew under their tasks, tasks of several slots and of more than there are",
    invariants: ["I3", "I5"],
    short: true,
    run: ({ random, isShort }) => {
      const tasks = Array.from({ length: 24 }, (_, at) =>
        plain(`p${at}`, { pool: "edge", poolSlots: 1 + (at % 3), durationMs: 2 }),
      );
      const dags: DagSpec[] = [
        dagOf("pooled", tasks),
        dagOf(
          "waiting",
          Array.from({ length: 6 }, (_, at) => plain(`d${at}`, { pool: "counted", defers: true })),
        ),
        dagOf("too_wide", [plain("wide", { pool: "edge", poolSlots: 9 }), plain("beside", {})]),
      ];
      return onRigs({ pools: [{ name: "edge", slots: 4 }], dags }, async (rigs) => {
        const { store } = rigs.database;
        const set = (slots: number) =>
          setPool(store, { pool: "edge", slots, description: null, includeDeferred: random.chance(0.5) });
        const wrong: string[] = [];
        let fired = 0;
        const all = [await rigs.rig(), await rigs.rig()];
        const pass = async () => {
          for (const rig of all) await rig.pass();
        };
        for (let round = 0; round < (isShort ? 4 : 30); round++) {
          await rigs.trigger("pooled");
          await pass();
          // Shrunk while its tasks run: they continue, and no other task enters.
          if ((await active(rigs)) > 0) fired++;
          await set(0);
          for (const rig of all) await rig.executor.settled();
          for (let turn = 0; turn < 3; turn++) await pass();
          if ((await active(rigs)) > 0) wrong.push("tasks entered a pool without slots");
          await set(random.between(3, 5));
          await pass();
          if (!(await deletePool(store, "edge"))) wrong.push("the pool could not be deleted");
          await store.query("insert into chaos.pool_change (pool, slots, include_deferred) values ('edge', 0, false)");
          for (const rig of all) await rig.executor.settled();
          for (let turn = 0; turn < 3; turn++) await pass();
          if ((await active(rigs)) > 0) wrong.push("tasks entered a pool that is not there");
          await set(random.between(3, 6));
          await rigs.untilDone(all);
        }
        fired += await playDeferred(rigs, all, wrong);
        // More slots than the pool has: the task waits with a reported reason, and blocks no other task.
        await rigs.trigger("too_wide");
        await store.query("insert into dag_pool (dag_id, pool, pool_slots) values ('too_wide', 'edge', 9)");
        for (let turn = 0; turn < 5; turn++) {
          await pass();
          for (const rig of all) await rig.executor.settled();
        }
        const { rows } = await store.query<{ task: string; state: string }>(
          "select task_id as task, state from task_instance where dag_id = 'too_wide' order by 1",
        );
        const got = rows.map(({ task, state }) => `${task} ${state}`).join();
        if (got !== "beside success,wide scheduled") wrong.push(`a task wider than its pool: ${got}`);
        const warnings = await listDagWarnings(store, { dagId: "too_wide" }, { order: [], limit: 5, offset: 0 }, [
          "LocalExecutor",
        ]);
        if (!warnings.rows.some((one) => one.message.includes("edge (9 of ")))
          wrong.push("nobody is told of a task wider than its pool");
        await set(-1);
        await rigs.untilDone(all);
        return { fired, faults: [{ invariant: "I5" as const, faults: [...new Set(wrong)] }] };
      });
    },
  },
  {
    number: 38,
    name: "retry-edges",
    injects: "tasks that always fail, fail without delay, back off beyond all numbers, fall silent, or have 1,000 tries",
    invariants: ["I3", "I4"],
    short: true,
    run: ({ isShort }) => {
      const many = isShort ? 30 : 1_000;
      const dags = [
        dagOf("failing", [
          plain("always", { retries: 3, failTries: 99 }),
          plain("at_once", { retries: 0, failTries: 99 }),
          plain("last_try", { retries: 3, failTries: 3 }),
          plain("after", { upstream: ["always"] }),
          plain("anyway", { upstream: ["always", "at_once"], triggerRule: "all_done" }),
        ]),
        dagOf("patient", [plain("many", { retries: many, failTries: many })]),
        dagOf("silent", [plain("hangs", { retries: 2, failTries: 0 })]),
        dagOf("overflow", [plain("grows", { retries: 3, failTries: 2 })]),
      ];
      return onRigs(
        { pools: [], dags },
        async (rigs) => {
          const { store } = rigs.database;
          const wrong: string[] = [];
          let fired = 0;
          // 1e9 s, multiplied by 1e300 with each try: neither a valid number of seconds nor a date.
          await store.query(
            `update serialized_dag set data = jsonb_set(jsonb_set(data::jsonb, '{tasks,0,retryDelaySec}', '1000000000'), '{tasks,0,retryExponentialBackoff}', '1e300')::json where dag_id = 'overflow'`,
          );
          const rig = await rigs.rig();
          await rigs.trigger("overflow");
          for (let tries = 0; tries < 2; tries++) {
            for (let turn = 0; turn < 3; turn++) {
              await rig.pass();
              await rig.executor.settled();
            }
            const { rows } = await store.query<{ sec: number | null }>(
              `update task_instance set next_attempt_at = now() where dag_id = 'overflow' and state = 'up_for_retry'
               returning (select extract(epoch from t.next_attempt_at - now())::float8 from task_instance t where t.id = task_instance.id) as sec`,
            );
            const sec = rows[0]?.sec ?? null;
            if (sec === null || Math.abs(sec - 86_400) > 60) wrong.push(`a retry that overflows waits ${sec} s, not a day`);
            else fired++;
          }
          for (const dagId of ["failing", "patient", "overflow"]) if (dagId !== "overflow") await rigs.trigger(dagId);
          await rigs.untilDone([rig], 60_000);
          const dead = await rigs.rig({ work: () => null });
          await rigs.trigger("silent");
          for (let tries = 0; tries < 3; tries++) {
            for (let turn = 0; turn < 3; turn++) await dead.pass();
            await store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour' where state = 'running'");
            const lost = await failSilentTries(dead.resources, { ...dead.options, silentTrySec: 300 });
            fired += lost;
            if (lost !== 1) wrong.push(`${lost} silent tries were taken at try ${tries + 1}`);
          }
          await rigs.untilDone([dead]);
          const { rows } = await store.query<{ task: string; state: string; n: number; past: number }>(
            `select dag_id || '.' || task_id as task, state, try_number as n,
                    (select count(*)::int from task_instance_history h where h.dag_id = t.dag_id and h.task_id = t.task_id) as past
               from task_instance t order by 1`,
          );
          const wanted: Record<string, [state: string, tries: number]> = {
            "failing.after": ["upstream_failed", 0],
            "failing.always": ["failed", 4],
            "failing.anyway": ["success", 1],
            "failing.at_once": ["failed", 1],
            "failing.last_try": ["success", 4],
            "overflow.grows": ["success", 3],
            "patient.many": ["success", many + 1],
            "silent.hangs": ["failed", 3],
          };
          for (const { task, state, n } of rows) {
            const [end, tries] = wanted[task] ?? ["", 0];
            if (state !== end || n !== tries) wrong.push(`${task} is ${state} after ${n} tries; wanted: ${end} after ${tries}`);
          }
          for (const message of rigs.caught) wrong.push(`a pass failed: ${message}`);
          return { fired, note: `${many + 1} tries of one task`, faults: [{ invariant: "I4" as const, faults: wrong }] };
        },
        // `silent` ends as failed although its spec does not say so: its worker dies each time.
        { lossReasons: [/^WorkerLostError/], isSteered: true },
      );
    },
  },
];

function plain(taskId: string, more: Partial<TaskSpec>): TaskSpec {
  return { taskId, upstream: [], retries: 0, failTries: 0, durationMs: 0, ...more };
}

function dagOf(dagId: string, tasks: TaskSpec[]): DagSpec {
  return { dagId, schedule: null, maxActiveTasks: 64, maxActiveRuns: 16, tasks };
}

/** Deferred tasks keep their slots if the pool counts them: two at a time, each until its trigger fires. */
async function playDeferred(rigs: Rigs, all: readonly Rig[], wrong: string[]): Promise<number> {
  const { store } = rigs.database;
  await setPool(store, { pool: "counted", slots: 2, description: null, includeDeferred: true });
  await rigs.trigger("waiting");
  let fired = 0;
  for (let round = 0; round < 20; round++) {
    for (const rig of all) {
      await rig.pass();
      await rig.executor.settled();
    }
    const { rows } = await store.query<{ trigger: number }>(
      "select trigger_id as trigger from task_instance where dag_id = 'waiting' and state = 'deferred'",
    );
    if (rows.length > 2) wrong.push(`${rows.length} deferred tasks in a pool of 2 that counts them`);
    const [one] = rows;
    if (one) fired += (await fireTriggers(store, [{ triggerId: one.trigger, event: Buffer.from("{}"), failure: null }])).length;
  }
  return fired;
}

async function active({ database }: Rigs): Promise<number> {
  const { rows } = await database.store.query<{ n: number }>(
    "select count(*)::int as n from task_instance where pool = 'edge' and state in ('queued', 'running')",
  );
  return rows[0]?.n ?? 0;
}
