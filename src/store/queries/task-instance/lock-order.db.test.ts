import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import { tryEnd } from "../../../../tests/support/try-end.ts";
import {
  beatTries,
  clearInstances,
  type Db,
  expandTasks,
  finishTries,
  lockQueued,
  noteInstances,
  queueInstances,
  recordLaunches,
  rehomeInstances,
  repinRun,
  requeueTries,
  setInstanceNotes,
  setStates,
  skipTasks,
  skipUnfinished,
  startJob,
  startTries,
  stopRemaining,
} from "../../index.ts";

/** Whatever order they are asked for, read or stored in, the first is to be locked first. */
const [FIRST, LAST] = ["00000000-0000-4000-8000-000000000000", "ffffffff-0000-4000-8000-000000000000"];
const IDS = [LAST, FIRST];

let database: TestDatabase;
let dagRunId = 0;
let versionId = "";
let jobId = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  jobId = await startJob(database.store, { type: "SchedulerJob", hostname: "h", pid: 1 });
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.store.query("delete from dag_run");
  versionId = await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }, { taskId: "b" }] });
  await trigger(database.store, "d");
  const { rows } = await database.store.query<{ id: number }>("select id from dag_run");
  dagRunId = rows[0]?.id ?? 0;
});

const instances = ["b", "a"].map((taskId) => ({ taskId, mapIndex: -1 }));

type Case = { state: "null" | "scheduled" | "queued" | "running"; change: (tx: Db) => Promise<unknown> };
const CASES: Record<string, Case> = {
  startTries: {
    state: "queued",
    change: (tx) =>
      startTries(
        tx,
        IDS.map((id) => ({ id, hostname: "h", unixname: "u", pid: 1 })),
      ),
  },
  finishTries: {
    state: "running",
    change: (tx) =>
      finishTries(
        tx,
        IDS.map((id) => tryEnd({ id, state: "success" })),
      ),
  },
  beatTries: { state: "running", change: (tx) => beatTries(tx, IDS) },
  queueInstances: { state: "scheduled", change: (tx) => queueInstances(tx, IDS, jobId) },
  lockQueued: { state: "queued", change: (tx) => lockQueued(tx, IDS) },
  requeueTries: { state: "queued", change: (tx) => requeueTries(tx, IDS) },
  recordLaunches: {
    state: "queued",
    change: (tx) =>
      recordLaunches(
        tx,
        IDS.map((id) => ({ id, externalExecutorId: id })),
      ),
  },
  rehomeInstances: {
    state: "scheduled",
    change: (tx) => {
      const of = (taskId: string) => ({ dagId: "d", versionId, taskId, executor: "LocalExecutor", count: 1 });
      return rehomeInstances(tx, [of("b"), of("a")], "OtherExecutor");
    },
  },
  skipTasks: { state: "scheduled", change: (tx) => skipTasks(tx, dagRunId, ["b", "a"]) },
  skipUnfinished: { state: "running", change: (tx) => skipUnfinished(tx, dagRunId, "why") },
  setStates: {
    state: "running",
    change: (tx) => setStates(tx, dagRunId, "failed", { taskIds: null, mapIndex: null, states: null }, "why"),
  },
  stopRemaining: { state: "running", change: (tx) => stopRemaining(tx, dagRunId, [], ["running"], "why") },
  clearInstances: { state: "running", change: (tx) => clearInstances(tx, dagRunId, null, null, "why") },
  setInstanceNotes: { state: "running", change: (tx) => setInstanceNotes(tx, dagRunId, { taskIds: null, mapIndex: null }, "n") },
  noteInstances: { state: "running", change: (tx) => noteInstances(tx, dagRunId, instances, "n") },
  repinRun: { state: "scheduled", change: (tx) => repinRun(tx, dagRunId, versionId, []) },
  expandTasks: {
    state: "running",
    change: (tx) =>
      expandTasks(
        tx,
        ["b", "a"].map((taskId) => ({ dagRunId, taskId, unmapped: "kept" as const, created: [], revived: [], removed: [-1] })),
      ),
  },
};

test.each(Object.entries(CASES))(
  "%s locks in the order of ids, so that no two statements deadlock over the same instances",
  async (_, { state, change }) => {
    // The last one first in the table, too.
    for (const [taskId, id] of [
      ["b", LAST],
      ["a", FIRST],
    ])
      await database.store.query(
        "update task_instance set id = $2, state = nullif($3, 'null'), start_date = now() where task_id = $1",
        [taskId, id, state],
      );
    const isFree = (id: string | undefined) =>
      database.store
        .query("select 1 from task_instance where id = $1 for update nowait", [id])
        .then(() => true)
        .catch(() => false);
    let changing: Promise<unknown> = Promise.resolve();
    await database.store.transaction(async (holder) => {
      await holder.query("select 1 from task_instance where id = $1 for update", [FIRST]);
      changing = database.store.transaction(change);
      await expect.poll(waitsForLock, { timeout: 5_000, interval: 5 }).toBe(true);
      expect(await isFree(FIRST)).toBe(false);
      expect(await isFree(LAST)).toBe(true);
    });
    await changing;
  },
);

test("instances are queued and found queued in the order they are named in, which is that of their priority", async () => {
  for (const ids of [
    [LAST, FIRST],
    [FIRST, LAST],
  ]) {
    for (const [taskId, id] of [
      ["b", LAST],
      ["a", FIRST],
    ])
      await database.store.query("update task_instance set id = $2, state = 'scheduled' where task_id = $1", [taskId, id]);
    expect((await queueInstances(database.store, ids, jobId)).map(({ id }) => id)).toEqual(ids);
    expect((await lockQueued(database.store, ids)).map(({ id }) => id)).toEqual(ids);
  }
});

async function waitsForLock(): Promise<boolean> {
  const waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  return (await database.store.query(waiting)).rows.length > 0;
}
