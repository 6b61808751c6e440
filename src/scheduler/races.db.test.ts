import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { SUCCESS } from "../../tests/support/fake-executor.ts";
import {
  createGate,
  createRig,
  createSchedulerDatabase,
  type Rig,
  type RigOptions,
  runState,
  statesOf,
  trigger,
} from "../../tests/support/scheduler-rig.ts";
import { findRun, startTries } from "../store/index.ts";
import { clearRun, createDagCache, finishByOutcome, markInstances, markRun, type PausePoint } from "./index.ts";
import { adoptOrphans } from "./recover.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "a" }, { taskId: "b" }, { taskId: "c", upstream: ["a", "b"] }],
  });
});
afterEach(() => database.drop());

/** Holds a rig's next pass at `point`, does `between` meanwhile, and lets the pass go on. */
async function holdAt(
  point: PausePoint,
  options: RigOptions,
  prepare: (rig: Rig) => Promise<void>,
  between: () => Promise<unknown>,
) {
  const gate = createGate();
  let isArmed = false;
  const rig = await createRig(database, {
    ...options,
    pause: async (at) => {
      if (!isArmed || at !== point) return;
      isArmed = false;
      await gate.pass();
    },
  });
  await prepare(rig);
  isArmed = true;
  const passed = rig.pass();
  await gate.entered;
  let isDone = false;
  const done = between().finally(() => {
    isDone = true;
  });
  // In: either committed already, or waiting for a lock that the held pass has.
  await expect.poll(async () => isDone || (await waitingForLock())).toBe(true);
  gate.open();
  await Promise.all([passed, done]);
  return rig;
}

async function waitingForLock(): Promise<boolean> {
  const { rows } = await database.store.query(
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows.length > 0;
}

const mark = (runId: string, taskId: string) =>
  markInstances(database.store, createDagCache(), {
    by: { user: "ada" },
    dagId: "d",
    runs: { kind: "one", runId, past: false, future: false },
    taskId,
    mapIndex: null,
    directions: { upstream: false, downstream: false },
    state: "success",
    dryRun: false,
  });
const clear = (runId: string) => clearRun(database.store, "d", runId, { user: "ada" });

/** How often each task was handed over, by try id. */
function handedOf(rig: Rig): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { ti } of rig.executor.handed) counts[ti.taskId] = (counts[ti.taskId] ?? 0) + 1;
  return counts;
}

/** Every task succeeds, and is noted when it starts. */
const noting = (started: string[]): RigOptions => ({
  startsFirst: true,
  work: ({ ti }) => {
    started.push(ti.taskId);
    return SUCCESS;
  },
});

const ALL_DONE = { a: "success", b: "success", c: "success" };

for (const point of ["after-claim", "after-candidates", "after-queue-commit"] as const) {
  test(`a clear that comes in ${point} is not lost: every cleared task runs under its new id`, async () => {
    let runId = "";
    const rig = await holdAt(
      point,
      { startsFirst: true },
      async () => {
        runId = await trigger(database.store, "d");
      },
      () => clear(runId),
    );
    await rig.drain();
    expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
    expect(await runState(database.store, "d", runId)).toBe("success");
    const { rows } = await database.store.query<{ id: string; n: number }>("select id, try_number as n from task_instance");
    const handed = new Set(rig.executor.handed.map((one) => one.ti.id));
    for (const row of rows) expect(handed.has(row.id), "a success that was never handed over").toBe(true);
  });

  test(`a mark that comes in ${point} is not overwritten, and what follows it goes on`, async () => {
    let runId = "";
    const rig = await holdAt(
      point,
      { startsFirst: true, work: ({ ti }) => (ti.taskId === "a" ? null : SUCCESS) },
      async () => {
        runId = await trigger(database.store, "d");
      },
      () => mark(runId, "a"),
    );
    await rig.drain();
    // Were the mark lost, `a` would hang in the executor for ever.
    expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
    expect(await runState(database.store, "d", runId)).toBe("success");
  });

  test(`a finish that comes in ${point} is not lost: the last task starts`, async () => {
    let runId = "";
    const rig = await holdAt(
      point,
      { startsFirst: true, work: ({ ti }) => (ti.taskId === "c" ? SUCCESS : null) },
      async (one) => {
        runId = await trigger(database.store, "d");
        await one.pass();
        await one.executor.settled();
        // Something to claim, and something to dispatch, for the pass that is held.
        await finish("b");
        await trigger(database.store, "d", null, new Date(Date.now() - 60_000));
      },
      () => finish("a"),
    );
    await rig.drain();
    expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
  });

  test(`a run marked failed ${point} stays failed, and none of its tasks starts after`, async () => {
    let runId = "";
    const started: string[] = [];
    const rig = await holdAt(
      point,
      noting(started),
      async () => {
        runId = await trigger(database.store, "d");
      },
      () => markRun(database.store, createDagCache(), "d", runId, "failed", { user: "ada" }),
    );
    await rig.drain();
    expect(await runState(database.store, "d", runId)).toBe("failed");
    const states = Object.values(await statesOf(database.store, runId));
    if (point !== "after-queue-commit") {
      // The mark waits for the end of the transaction that claimed the run, so what it queues may start before it.
      for (const state of states) expect(["skipped", "failed", "success"]).toContain(state);
      expect(started).not.toContain("c");
    } else {
      expect(started).toEqual([]);
      expect(states).toEqual(["skipped", "skipped", "skipped"]);
    }
  });
}

test("a run marked failed while its tasks are candidates stays failed, and none of them starts after", async () => {
  let runId = "";
  const started: string[] = [];
  const rig = await holdAt(
    "after-candidates",
    noting(started),
    async () => {
      runId = await trigger(database.store, "d");
      // Scheduled by one that has no place: the held pass has nothing of the run to claim, and holds no lock of it.
      await (await createRig(database, { slots: 0 })).pass();
    },
    () => markRun(database.store, createDagCache(), "d", runId, "failed", { user: "ada" }),
  );
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("failed");
  expect(started).toEqual([]);
  expect(Object.values(await statesOf(database.store, runId))).toEqual(["skipped", "skipped", "skipped"]);
});

async function finish(taskId: string): Promise<void> {
  const { rows } = await database.store.query<{ id: string }>(
    "select id from task_instance where task_id = $1 and state = 'running'",
    [taskId],
  );
  expect(rows).toHaveLength(1);
  const ended = await finishByOutcome(database.store, createDagCache(), [{ id: rows[0]?.id ?? "", outcome: SUCCESS }]);
  expect(ended).toHaveLength(1);
}

test("a scheduler that dies between queueing and hand-over: another launches each try once, under a new id", async () => {
  const gate = createGate();
  const dying = await createRig(database, {
    pause: (at) => (at === "after-queue-commit" ? gate.pass() : Promise.resolve()),
  });
  const heir = await createRig(database, { startsFirst: true });
  const runId = await trigger(database.store, "d");
  const never = dying.pass();
  await gate.entered;
  const { rows: queued } = await database.store.query<{ id: string }>("select id from task_instance where state = 'queued'");
  expect(queued).toHaveLength(2);
  await adoptOrphans(heir.resources, heir.options);
  expect(heir.executor.handed, "a living scheduler's tries were taken").toHaveLength(0);

  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [
    dying.options.jobId(),
  ]);
  await adoptOrphans(heir.resources, heir.options);
  await heir.drain();
  expect(handedOf(heir)).toEqual({ a: 1, b: 1, c: 1 });
  expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
  // The dead one wakes up and hands over what it had: nobody may start it.
  gate.open();
  await never;
  await dying.executor.settled();
  const old = dying.executor.handed.map(({ ti }) => ti.id);
  expect(new Set(old)).toEqual(new Set(queued.map(({ id }) => id)));
  for (const id of old) {
    expect(heir.executor.handed.some(({ ti }) => ti.id === id)).toBe(false);
    expect(await startTries(database.store, [{ id, hostname: "h", unixname: "u", pid: 1 }])).toEqual([]);
  }
  const { rows } = await database.store.query<{ n: number }>("select distinct try_number as n from task_instance");
  expect(rows).toEqual([{ n: 1 }]);
});

test("a hand-over that fails after the commit is made up for by the same scheduler", async () => {
  let isFirst = true;
  const rig = await createRig(database, {
    pause: async (at) => {
      if (at !== "after-queue-commit" || !isFirst) return;
      const { rows } = await database.store.query("select 1 from task_instance where state = 'queued'");
      if (rows.length === 0) return;
      isFirst = false;
      throw new Error("the hand-over failed");
    },
  });
  const runId = await trigger(database.store, "d");
  await expect(rig.pass()).rejects.toThrow("the hand-over failed");
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
  expect(handedOf(rig)).toEqual({ a: 1, b: 1, c: 1 });
});

test("two schedulers that evaluate the same run at once decide each task once", async () => {
  const gate = createGate();
  const first = await createRig(database, { pause: (at) => (at === "after-claim" ? gate.pass() : Promise.resolve()) });
  const second = await createRig(database);
  const runId = await trigger(database.store, "d");
  const held = first.pass();
  await gate.entered;
  // The run is the first one's for now; the second passes it by without waiting.
  expect(await second.pass()).toMatchObject({ more: false, busy: false });
  gate.open();
  await held;
  await first.executor.settled();
  await second.drain();
  await first.drain();
  expect(await statesOf(database.store, runId)).toEqual(ALL_DONE);
  expect(first.executor.handed.length + second.executor.handed.length).toBe(3);
  expect((await findRun(database.store, "d", runId))?.state).toBe("success");
});

test("a clear and a try's end at the same moment: one of them wins whole", async () => {
  await saveDagFixture(database.store, { dagId: "one", tasks: [{ taskId: "t" }] });
  for (let round = 0; round < 10; round++) {
    const rig = await createRig(database, { work: () => null });
    const runId = await trigger(database.store, "one");
    await rig.drain();
    // The runs of earlier rounds were cleared, and are handed over here as well.
    const id = rig.executor.handed.find(({ ti }) => ti.runId === runId)?.ti.id ?? "";
    const outcome = { state: "success" as const, skipTasks: [], xcoms: [{ key: "k", value: round }] };
    const guard = { leaving: ["queued"] as const, silentForSec: null };
    const [ended, cleared] = await Promise.all([
      finishByOutcome(database.store, createDagCache(), [{ id, outcome }], guard),
      clearRun(database.store, "one", runId, { user: "ada" }),
    ]);
    expect(cleared).toMatchObject([{ taskId: "t", previousState: ended.length === 1 ? "success" : "queued" }]);
    const { rows } = await database.store.query<{ id: string; state: string | null; pushed: number }>(
      `select ti.id, ti.state, (select count(*)::int from xcom x where x.dag_run_id = ti.dag_run_id) as pushed
         from task_instance ti where ti.run_id = $1`,
      [runId],
    );
    // Cleared last in either order: what the old try pushed goes with it, or was never taken.
    expect(rows).toMatchObject([{ state: null, pushed: 0 }]);
    expect(rows[0]?.id).not.toBe(id);
  }
});

test("two clears of a run at once clear each task once, and the run goes through once", async () => {
  await saveDagFixture(database.store, { dagId: "one", tasks: [{ taskId: "t" }] });
  const rig = await createRig(database, { startsFirst: true });
  const runId = await trigger(database.store, "one");
  await rig.drain();
  const cleared = await Promise.all([1, 2, 3].map(() => clearRun(database.store, "one", runId, { user: "ada" })));
  expect(cleared.map(([one]) => one?.previousState)).toEqual(expect.arrayContaining(["success", null, null]));
  await rig.drain();
  expect(await runState(database.store, "one", runId)).toBe("success");
  expect(rig.executor.handed).toHaveLength(2);
  const { rows } = await database.store.query("select try_number as n from task_instance_history where run_id = $1", [runId]);
  expect(rows).toEqual([{ n: 1 }]);
});
