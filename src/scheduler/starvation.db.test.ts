import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { SUCCESS } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type Rig, type RigOptions, trigger } from "../../tests/support/scheduler-rig.ts";
import { setPool } from "../store/index.ts";
import { createDagCache, finishByOutcome } from "./index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const CROWD = 2_000;
const crowd = (facts: object) =>
  Array.from({ length: CROWD }, (_, at) => ({ taskId: `t${at}`, priorityWeight: 1_000, weightRule: "absolute", ...facts }));

/** The executor keeps what it gets, so that whatever fills a limit goes on filling it. */
async function handedAfter(dags: readonly string[], options: RigOptions, passes: number): Promise<Record<string, number>> {
  const rig = await createRig(database, { work: () => null, ...options });
  for (const dagId of dags) await trigger(database.store, dagId);
  for (let at = 0; at < passes; at++) await rig.pass();
  const counts: Record<string, number> = Object.fromEntries(dags.map((dagId) => [dagId, 0]));
  for (const { ti } of rig.executor.handed) counts[ti.dagId] = (counts[ti.dagId] ?? 0) + 1;
  return counts;
}

test("2,000 tasks before a full pool do not delay another run", async () => {
  await setPool(database.store, { pool: "full", slots: 0, description: null, includeDeferred: false });
  await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: CROWD, tasks: crowd({ pool: "full" }) });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  const settings = { maxInstancesPerQuery: 16 };
  expect(await handedAfter(["crowd", "other"], { settings }, 1)).toEqual({ crowd: 0, other: 1 });
});

test("2,000 tasks before a pool with one free slot do not delay another run", async () => {
  await setPool(database.store, { pool: "tight", slots: 1, description: null, includeDeferred: false });
  await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: CROWD, tasks: crowd({ pool: "tight" }) });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  const settings = { maxInstancesPerQuery: 16 };
  expect(await handedAfter(["crowd", "other"], { settings }, 1)).toEqual({ crowd: 1, other: 1 });
});

test("2,000 tasks of a run at maxActiveTasks do not delay another run", async () => {
  await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: 1, tasks: crowd({}) });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  const settings = { maxInstancesPerQuery: 16 };
  expect(await handedAfter(["crowd", "other"], { settings }, 1)).toEqual({ crowd: 1, other: 1 });
});

test("candidates held by maxActiveTisPerDag do not fill the window", async () => {
  await saveDagFixture(database.store, {
    dagId: "held",
    maxActiveRuns: 64,
    tasks: [{ taskId: "one_at_a_time", maxActiveTisPerDag: 1, priorityWeight: 1_000 }],
  });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  const dags = [...Array.from({ length: 60 }, () => "held"), "other"];
  const settings = { maxInstancesPerQuery: 8, maxRunsToEvaluate: 100 };
  // The first pass spends the window on the one that may start.
  expect(await handedAfter(dags, { settings }, 2)).toEqual({ held: 1, other: 1 });
});

test("an executor without free slots holds up only its own tasks", async () => {
  await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: CROWD, tasks: crowd({ executor: "Elsewhere" }) });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  expect(await handedAfter(["crowd", "other"], { settings: { maxInstancesPerQuery: 16 } }, 1)).toEqual({ crowd: 0, other: 1 });
});

/** What one pass gives to each executor; they keep it. */
async function givenInOnePass(dags: readonly string[], options: RigOptions): Promise<Record<string, number>> {
  const handed = await handedTo(dags, options);
  return Object.fromEntries([...handed].map(([name, tasks]) => [name, tasks.length]));
}

async function handedTo(dags: readonly string[], options: RigOptions, passes = 1): Promise<Map<string, string[]>> {
  const rig = await createRig(database, { work: () => null, ...options });
  for (const dagId of dags) await trigger(database.store, dagId);
  for (let at = 0; at < passes; at++) await rig.pass();
  const executorOf = "select task_id as task, executor from task_instance where state = 'queued' order by task_id";
  const { rows } = await database.store.query<{ task: string; executor: string }>(executorOf);
  const handed = new Map([...rig.resources.executors.keys()].map((name): [string, string[]] => [name, []]));
  for (const { task, executor } of rows) handed.get(executor)?.push(task);
  return handed;
}
const NARROW = { name: "Narrow", slots: 1, work: () => null };

test.each([512, 16])(
  "2,000 tasks before an executor with one free slot do not delay those of another executor, in a window of %i",
  async (window) => {
    const others = Array.from({ length: 30 }, (_, at) => ({ taskId: `o${at}` }));
    await saveDagFixture(database.store, {
      dagId: "both",
      maxActiveTasks: 64,
      tasks: [...crowd({ executor: "Narrow" }), ...others],
    });
    const options = { slots: 30, further: [NARROW], settings: { maxInstancesPerQuery: window } };
    expect(await givenInOnePass(["both"], options)).toEqual({ LocalExecutor: Math.min(30, window - 1), Narrow: 1 });
  },
);

test("60 runs before an executor with one free slot do not delay another executor's run", async () => {
  await saveDagFixture(database.store, {
    dagId: "narrow",
    maxActiveRuns: 64,
    tasks: [{ taskId: "t", executor: "Narrow", priorityWeight: 1_000 }],
  });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t" }] });
  const dags = [...Array.from({ length: 60 }, () => "narrow"), "other"];
  const settings = { maxInstancesPerQuery: 8, maxRunsToEvaluate: 100 };
  expect(await givenInOnePass(dags, { slots: 30, further: [NARROW], settings })).toEqual({ LocalExecutor: 1, Narrow: 1 });
});

test("a task that its own limit holds back keeps no other from its executor's only slot, while another executor is busy", async () => {
  await saveDagFixture(database.store, {
    dagId: "held",
    maxActiveRuns: 64,
    tasks: [{ taskId: "one_at_a_time", maxActiveTisPerDag: 1, priorityWeight: 1_000, executor: "Narrow" }],
  });
  await saveDagFixture(database.store, {
    dagId: "other",
    tasks: [{ taskId: "narrow", executor: "Narrow" }, ...Array.from({ length: 40 }, (_, at) => ({ taskId: `t${at}` }))],
    maxActiveTasks: 64,
  });
  const dags = ["held", "held", "other"];
  const settings = { maxInstancesPerQuery: 4, maxRunsToEvaluate: 100 };
  const handed = await handedTo(dags, { slots: 30, further: [{ ...NARROW, slots: 2 }], settings }, 2);
  expect(handed.get("Narrow")).toEqual(["narrow", "one_at_a_time"]);
  expect(handed.get("LocalExecutor")?.length).toBeGreaterThan(2);
});

const WIDE = { taskId: "wide", pool: "shared", poolSlots: 2, priorityWeight: 100, weightRule: "absolute" };
const small = (count: number, facts: object = {}) =>
  Array.from({ length: count }, (_, at) => ({
    taskId: `s${at}`,
    pool: "shared",
    priorityWeight: 10,
    weightRule: "absolute",
    ...facts,
  }));
const shared = (slots: number) => setPool(database.store, { pool: "shared", slots, description: null, includeDeferred: false });

/** Ends the try of a task that was handed over, and lets every scheduler look. */
async function endOne(rigs: readonly Rig[], task: string): Promise<void> {
  const { rows } = await database.store.query<{ id: string }>(
    "select id from task_instance where task_id = $1 and state = 'queued' order by id limit 1",
    [task],
  );
  const id = rows[0]?.id ?? "";
  for (const rig of rigs) rig.executor.inHand.delete(id);
  const ends = [{ id, outcome: SUCCESS }];
  expect(await finishByOutcome(database.store, createDagCache(), ends, { leaving: ["queued"], silentForSec: null })).toHaveLength(
    1,
  );
  for (const rig of rigs) for (let at = 0; at < 2; at++) await rig.pass();
}
async function activeTasks(): Promise<string[]> {
  const { rows } = await database.store.query<{ task: string }>(
    "select task_id as task from task_instance where state in ('queued', 'running') order by task_id",
  );
  return rows.map((row) => row.task);
}

test.each([1, 2])(
  "a task that needs two of a pool's slots starts when the present holders have ended, however many small ones wait; %i schedulers",
  async (schedulers) => {
    await shared(2);
    await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: 64, tasks: small(20) });
    await saveDagFixture(database.store, {
      dagId: "d",
      tasks: [WIDE, { taskId: "beside" }, { taskId: "urgent", pool: "shared", priorityWeight: 200 }],
    });
    const rigs: Rig[] = [];
    for (let at = 0; at < schedulers; at++) rigs.push(await createRig(database, { work: () => null }));
    await trigger(database.store, "crowd");
    for (const rig of rigs) await rig.pass();
    const [first = "", second = ""] = await activeTasks();
    await trigger(database.store, "d");
    for (const rig of rigs) for (let at = 0; at < 3; at++) await rig.pass();
    expect(await activeTasks(), "another pool's go on").toEqual(["beside", first, second]);
    await endOne(rigs, first);
    expect(await activeTasks(), "what ranks before it takes the slot").toEqual(["beside", second, "urgent"].sort());
    await endOne(rigs, "urgent");
    expect(await activeTasks(), "the free slot is kept").toEqual(["beside", second]);
    await endOne(rigs, second);
    expect(await activeTasks()).toEqual(["beside", "wide"]);
    await endOne(rigs, "wide");
    expect((await activeTasks()).filter((task) => task.startsWith("s"))).toHaveLength(2);
  },
);

test("its place in its run is kept, too, and a crowd behind it takes no place from other pools", async () => {
  await shared(600);
  const tasks = [
    { ...WIDE, poolSlots: 600 },
    { taskId: "holder", pool: "shared", poolSlots: 90, priorityWeight: 200, weightRule: "absolute" },
    ...small(700),
  ];
  await saveDagFixture(database.store, {
    dagId: "d",
    maxActiveTasks: 3,
    tasks: [...tasks, { taskId: "own", priorityWeight: 1, weightRule: "absolute" }],
  });
  await saveDagFixture(database.store, { dagId: "crowd", maxActiveTasks: 1_000, tasks: small(700) });
  await saveDagFixture(database.store, { dagId: "other", tasks: [{ taskId: "t", priorityWeight: 1, weightRule: "absolute" }] });
  const rig = await createRig(database, { work: () => null, settings: { maxInstancesPerQuery: 16 } });
  for (const dagId of ["d", "crowd", "other"]) await trigger(database.store, dagId);
  for (let at = 0; at < 3; at++) await rig.pass();
  // One of its run's three places is the holder's, one is kept.
  expect(await activeTasks()).toEqual(["holder", "own", "t"]);
  await endOne([rig], "holder");
  expect(await activeTasks()).toEqual(["own", "t", "wide"]);
});

test("a task that could not start for another reason, or never fits its pool, keeps no slot from others", async () => {
  await shared(2);
  const limited = { maxActiveTisPerDag: 1 };
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { ...WIDE, taskId: "too_wide", poolSlots: 3 },
      { ...WIDE, taskId: "elsewhere", executor: "NoSuch" },
      { ...WIDE, ...limited, taskId: "limited" },
    ],
  });
  await saveDagFixture(database.store, {
    dagId: "full",
    maxActiveTasks: 1,
    tasks: [{ taskId: "runs", priorityWeight: 500 }, WIDE],
  });
  await saveDagFixture(database.store, { dagId: "crowd", tasks: small(2) });
  const rig = await createRig(database, { work: () => null });
  const held = await trigger(database.store, "d");
  await trigger(database.store, "full");
  await rig.pass();
  // Its own limit is used up by another run's.
  await database.store.query("update task_instance set pool = 'default_pool' where run_id = $1 and task_id = 'limited'", [held]);
  await rig.pass();
  await trigger(database.store, "d");
  await trigger(database.store, "crowd");
  for (let at = 0; at < 3; at++) await rig.pass();
  expect((await activeTasks()).filter((task) => task.startsWith("s"))).toEqual(["s0", "s1"]);
});

test("a paused DAG's scheduled tasks wait, and go on when it is unpaused", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  const rig = await createRig(database);
  const runId = await trigger(database.store, "d");
  await database.store.query("update dag_run set state = 'running', next_scan_at = now() where run_id = $1", [runId]);
  await database.store.query("update dag set is_paused = true");
  await rig.pass();
  expect(rig.executor.handed).toHaveLength(0);
  await database.store.query("update dag set is_paused = false");
  await rig.drain();
  expect(rig.executor.handed).toHaveLength(1);
});

test("DAGs take turns: one with 60 runs to look at costs another a place in each pass, not sixty", async () => {
  await saveDagFixture(database.store, { dagId: "many", maxActiveRuns: 100, tasks: [{ taskId: "t" }] });
  const chain = [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }, { taskId: "c", upstream: ["b"] }];
  await saveDagFixture(database.store, { dagId: "other", tasks: chain });
  const rig = await createRig(database, { settings: { maxRunsToEvaluate: 8 } });
  for (let run = 0; run < 60; run++) await trigger(database.store, "many");
  const runId = await trigger(database.store, "other");
  for (let pass = 0; pass < 4; pass++) {
    await rig.pass();
    await rig.executor.settled();
  }
  const states = await database.store.query("select task_id as task from task_instance where run_id = $1 and state = 'success'", [
    runId,
  ]);
  expect(states.rows).toHaveLength(3);
  const { rows } = await database.store.query("select 1 from dag_run where dag_id = 'many' and state = 'running' limit 1");
  expect(rows).toHaveLength(1);
});
