/** Invalid DAGs: in their file, in the database, or changed while their runs go on. */

import type { PausePoint } from "../../../src/scheduler/index.ts";
import { removeDag } from "../../../src/scheduler/index.ts";
import { saveDagFixture } from "../../support/dag-fixture.ts";
import { createGate } from "../../support/scheduler-rig.ts";
import { CALM, calmDag, playCalm } from "../bystander.ts";
import type { DagSpec, TaskSpec } from "../checker/index.ts";
import { startDagProcessor } from "../dag-folder.ts";
import type { Fault } from "../fault.ts";
import { onRigs, type Rigs, specless } from "../rigs.ts";
import { saveScheduled } from "../save-scheduled.ts";
import { zoo } from "../zoo.ts";

export const badDagFaults: readonly Fault[] = [
  {
    number: 32,
    name: "bad-dag-zoo",
    injects: "files that throw, hang, eat memory, exit, abort, go in circles, name things wrongly or define far too much",
    invariants: ["I9"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs({ pools: [], dags: [calmDag(random)] }, async (rigs) => {
        const animals = zoo({ isShort });
        const all = [await rigs.rig()];
        const folder = await startDagProcessor(rigs.database, { BARAM__CORE__DAGBAG_IMPORT_TIMEOUT: isShort ? "2" : "20" });
        const wrong: string[] = [];
        try {
          await folder.write("well.ts", wellFile("well"));
          await folder.untilDag("well", 20_000);
          await playCalm(rigs, all, isShort ? 8 : 30);
          const faultFromMs = Date.now();
          for (const { name, text } of animals) await folder.write(`${name}.ts`, text);
          await folder.write("late.ts", wellFile("late"));
          await playCalm(rigs, all, isShort ? 8 : 60);
          await folder.untilDag("late", 30_000);
          const bad = animals.filter(({ isBad }) => isBad).map(({ name }) => `${name}.ts`);
          const errors = await folder.untilErrors(bad.length, isShort ? 30_000 : 90_000);
          for (const name of bad) if (!errors.has(name)) wrong.push(`${name} has no error`);
          for (const [name, message] of errors) if (!bad.includes(name)) wrong.push(`${name} has an error: ${message}`);
          if (!folder.isAlive()) wrong.push("the dag-processor died");
          // Valid files are still loaded.
          await folder.write("after.ts", wellFile("after"));
          await folder.untilDag("after", 20_000);
          return {
            fired: [...errors.keys()].filter((name) => bad.includes(name)).length,
            note: `${errors.size} of ${animals.length} files refused`,
            faults: [{ invariant: "I9" as const, faults: wrong }],
            expect: { bystanders: { dagIds: [CALM], faultFromMs } },
          };
        } finally {
          await folder.close();
        }
      }),
  },
  {
    number: 33,
    name: "poisoned-dag",
    injects: "stored DAGs become unreadable, of an unknown version, or lack a task, with runs due, queued, scheduled and running",
    invariants: ["I2", "I3", "I7", "I9"],
    short: true,
    run: ({ random, isShort }) => {
      const dags = POISONS.map(({ name }) => diamond(name));
      return onRigs({ pools: [], dags: [calmDag(random), ...dags] }, async (rigs) => {
        const { store } = rigs.database;
        const rounds = isShort ? 8 : 30;
        await playCalm(rigs, [await rigs.rig()], rounds);
        // Each DAG has a running try, scheduled tasks, a queued run and a date that is due.
        const gate = createGate();
        const working = await rigs.rig({ slots: dags.length, before: () => gate.pass() });
        for (const { dagId } of dags) await rigs.trigger(dagId);
        for (let turn = 0; turn < 4; turn++) await working.pass();
        for (const { dagId } of dags) await rigs.trigger(dagId);
        for (const { dagId, tasks, maxActiveRuns } of dags) {
          const startDate = new Date("2025-01-01T00:00Z");
          const endDate = new Date("2025-01-02T00:00Z");
          await saveScheduled(store, {
            dagId,
            expression: "0 0 * * *",
            startDate,
            endDate,
            maxActiveRuns,
            tasks: specless(tasks),
          });
        }
        const { rows: kept } = await store.query<{ id: string; data: string }>(
          "select dag_version_id as id, data::text as data from serialized_dag",
        );
        const { rows: states } = await store.query<{ state: string }>(
          "select distinct state from task_instance where dag_id <> $1",
          [CALM],
        );
        let fired = 0;
        for (const { name, poison } of POISONS) fired += (await store.query(poison, [name])).rowCount ?? 0;
        const faultFromMs = Date.now();
        gate.open();
        await working.executor.settled();
        // As after a restart: the scheduler remembers no DAG that was readable before.
        const settings = { fullScanSec: 1 };
        const after = [await rigs.rig({ settings }), await rigs.rig({ settings })];
        await playCalm(rigs, after, rounds);
        const surfaced = [...new Set(rigs.caught)];
        for (const { id, data } of kept)
          await store.query("update serialized_dag set data = $2 where dag_version_id = $1", [id, data]);
        await rigs.untilDone(after);
        const seen = states.map((row) => row.state);
        return {
          fired: seen.includes("running") && seen.includes("scheduled") ? fired : 0,
          expect: { bystanders: { dagIds: [CALM], faultFromMs } },
          faults: [{ invariant: "I9" as const, faults: surfaced.map((message) => `a pass failed: ${message}`) }],
        };
      });
    },
  },
  {
    number: 34,
    name: "dag-changes",
    injects: "tasks removed, renamed, added and moved to another pool while runs go on; the DAG deleted at each pause point",
    invariants: ["I2", "I3", "I5", "I7"],
    short: true,
    run: ({ isShort }) => {
      const dags = [diamond("changing")];
      return onRigs(
        { pools: [{ name: "few", slots: 1 }], dags },
        async (rigs) => {
          const wrong: string[] = [];
          let fired = 0;
          const all = [await rigs.rig(), await rigs.rig()];
          for (let round = 0; round < (isShort ? 3 : 20); round++)
            for (const { name, tasks } of CHANGES) {
              await saveDagFixture(rigs.database.store, { dagId: "changing", tasks: specless(diamond("changing").tasks) });
              const runId = await rigs.trigger("changing");
              await all[round % 2]?.pass();
              await saveDagFixture(rigs.database.store, { dagId: "changing", tasks });
              await rigs.untilDone(all);
              const { rows } = await rigs.database.store.query<{ task: string; state: string }>(
                "select task_id as task, state from task_instance where run_id = $1 order by task_id",
                [runId],
              );
              // The run continues with the version with which it started.
              const got = rows.map((row) => `${row.task} ${row.state}`).join();
              if (got !== "a success,b success,c success") wrong.push(`${name}: the run ended as ${got}`);
              const next = await rigs.trigger("changing");
              const { rows: fresh } = await rigs.database.store.query<{ task: string; pool: string }>(
                "select task_id as task, pool from task_instance where run_id = $1 order by task_id",
                [next],
              );
              const names = fresh.map((row) => `${row.task}@${row.pool}`).join();
              const wanted = tasks
                .map((task) => `${task.taskId}@${task.pool ?? "default_pool"}`)
                .sort()
                .join();
              if (names !== wanted) wrong.push(`${name}: a new run has ${names}, not ${wanted}`);
              else fired++;
              // The run ends as its own version specifies; the checker's spec is the first version's.
              await rigs.untilDone(all);
              await rigs.database.store.query("delete from dag_run where run_id = $1", [next]);
              await rigs.database.store.query("delete from chaos.transition where run_id = $1", [next]);
              await rigs.database.store.query("delete from chaos.run_transition where run_id = $1", [next]);
              rigs.forgetTrace(next);
            }
          for (const point of DELETION_POINTS) {
            const dagId = `deleted_${point.replaceAll("-", "_")}`;
            if (await deleteAt(rigs, dagId, point)) fired++;
            else wrong.push(`nothing was there to delete at ${point}`);
            const { rows } = await rigs.database.store.query(
              "select 1 from dag_run where dag_id = $1 union all select 1 from task_instance where dag_id = $1",
              [dagId],
            );
            rigs.forgetTrace(dagId);
            if (rows.length > 0) wrong.push(`${rows.length} rows of ${dagId} are left`);
          }
          await rigs.trigger("changing").then(() => rigs.untilDone(all));
          const surfaced = rigs.caught.map((message) => `a pass failed: ${message}`);
          return { fired, faults: [{ invariant: "I3" as const, faults: [...wrong, ...surfaced] }] };
        },
        { isSteered: true },
      );
    },
  },
];

/** $1 = DAG. */
const POISONS = [
  { name: "corrupt", poison: `update serialized_dag set data = '{"nothing": ["of", "a", "DAG"]}' where dag_id = $1` },
  {
    name: "unknown_version",
    poison: "update serialized_dag set data = jsonb_set(data::jsonb, '{schemaVersion}', '99')::json where dag_id = $1",
  },
  {
    name: "lacks_task",
    poison:
      "update serialized_dag set data = jsonb_set(data::jsonb, '{tasks}', (data::jsonb -> 'tasks') - 0)::json where dag_id = $1",
  },
];

function diamond(dagId: string): DagSpec {
  const task = (taskId: string, upstream: string[]): TaskSpec => ({ taskId, upstream, retries: 3, failTries: 0, durationMs: 0 });
  const tasks = [task("a", []), task("b", []), task("c", ["a", "b"])];
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 1, tasks };
}

const CHANGES: readonly { name: string; tasks: readonly { taskId: string; upstream?: string[]; pool?: string }[] }[] = [
  { name: "a task removed", tasks: [{ taskId: "a" }, { taskId: "b" }] },
  { name: "a task renamed", tasks: [{ taskId: "a" }, { taskId: "b2" }, { taskId: "c", upstream: ["a", "b2"] }] },
  {
    name: "a task added",
    tasks: [{ taskId: "a" }, { taskId: "b" }, { taskId: "c", upstream: ["a", "b"] }, { taskId: "d", upstream: ["c"] }],
  },
  {
    name: "another pool",
    tasks: [
      { taskId: "a", pool: "few" },
      { taskId: "b", pool: "few" },
      { taskId: "c", upstream: ["a", "b"], pool: "few" },
    ],
  },
  { name: "edges turned round", tasks: [{ taskId: "a", upstream: ["c"] }, { taskId: "b", upstream: ["a"] }, { taskId: "c" }] },
];

const DELETION_POINTS: readonly PausePoint[] = ["after-due-dags", "after-claim", "after-candidates", "after-queue-commit"];

/** Deletes a DAG while a scheduler processes one of its runs. false: the scheduler never reached that point with it. */
async function deleteAt(rigs: Rigs, dagId: string, point: PausePoint): Promise<boolean> {
  const { store } = rigs.database;
  const gate = createGate();
  const held = await rigs.rig({ pause: (at) => (at === point ? gate.pass() : Promise.resolve()) });
  const [startDate, endDate] = [new Date("2025-01-01T00:00Z"), new Date("2025-01-03T00:00Z")];
  const tasks = [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }];
  await saveScheduled(store, { dagId, expression: "0 0 * * *", startDate, endDate, tasks });
  await rigs.trigger(dagId);
  const passing = held.pass().catch((error: Error) => rigs.caught.push(error.message));
  await gate.entered;
  const deleting = remove(rigs, dagId);
  // If the scheduler holds the rows, the deletion waits for it; otherwise it has finished by now.
  await Promise.race([deleting, new Promise((resolve) => setTimeout(resolve, 50))]);
  gate.open();
  await passing;
  const wasThere = await deleting;
  for (let turn = 0; turn < 3; turn++) await held.pass().catch((error: Error) => rigs.caught.push(error.message));
  await held.executor.settled();
  return wasThere;
}

/** Repeats the request while it is refused because tasks still run, as a person would. */
async function remove(rigs: Rigs, dagId: string): Promise<boolean> {
  for (let attempt = 0; attempt < 500; attempt++) {
    try {
      await removeDag(rigs.database.store, dagId);
      return true;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "dag_not_found") return attempt > 0;
      if (code !== "dag_running") throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return false;
}

function wellFile(dagId: string): string {
  return `import { dag, task } from "baram";\nexport default dag({ dagId: "${dagId}", schedule: null }, () => { task({ taskId: "t" }, async () => {})(); });\n`;
}
