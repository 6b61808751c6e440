import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { locksOn } from "../../../../tests/support/locking-statements.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import { tryEnd } from "../../../../tests/support/try-end.ts";
import {
  beatTries,
  clearInstances,
  type Db,
  expandTasks,
  finishTries,
  fireTriggers,
  holdQueued,
  lockQueued,
  noteInstances,
  queueInstances,
  reassignInstances,
  recordLaunches,
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
const FIRST = "00000000-0000-4000-8000-000000000000";
const LAST = "ffffffff-0000-4000-8000-000000000000";
const IDS = [LAST, FIRST];

let database: TestDatabase;
let dagRunId = 0;
let versionId = "";
let jobId = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  versionId = await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }, { taskId: "b" }] });
  jobId = await startJob(database.store, { type: "SchedulerJob", hostname: "h", pid: 1 });
});
afterAll(() => database.drop());

const TRIGGERS = { [FIRST]: 1, [LAST]: 2 };
const firing = (triggerId = 0) => ({ triggerId, event: Buffer.from("{}"), failure: null });
const instances = ["b", "a"].map((taskId) => ({ taskId, mapIndex: -1 }));

type Case = { state: "scheduled" | "queued" | "running" | "deferred"; change: (tx: Db) => Promise<unknown> };
/** By the statements' ids, as `locksOn` finds them. */
const CASES: Record<string, Case> = {
  "start-tries": {
    state: "queued",
    change: (tx) =>
      startTries(
        tx,
        IDS.map((id) => ({ id, hostname: "h", unixname: "u", pid: 1 })),
      ),
  },
  "task-instance/finish-tries.ts compose": {
    state: "running",
    change: (tx) =>
      finishTries(
        tx,
        IDS.map((id) => tryEnd({ id, state: "success" })),
      ),
  },
  "beat-tries": { state: "running", change: (tx) => beatTries(tx, IDS) },
  "fire-triggers": {
    state: "deferred",
    change: (tx) => fireTriggers(tx, [firing(TRIGGERS[LAST]), firing(TRIGGERS[FIRST])]),
  },
  "queue-instances": { state: "scheduled", change: (tx) => queueInstances(tx, IDS, jobId) },
  "still-queued": { state: "queued", change: (tx) => lockQueued(tx, IDS) },
  "hold-queued": { state: "queued", change: (tx) => holdQueued(tx, IDS) },
  "requeue-tries": { state: "queued", change: (tx) => requeueTries(tx, IDS) },
  "record-launches": {
    state: "queued",
    change: (tx) =>
      recordLaunches(
        tx,
        IDS.map((id) => ({ id, externalExecutorId: id })),
      ),
  },
  "reassign-instances": {
    state: "scheduled",
    change: (tx) => {
      const of = (taskId: string) => ({ dagId: "d", versionId, taskId, executor: "LocalExecutor", count: 1 });
      return reassignInstances(tx, [of("b"), of("a")], "OtherExecutor");
    },
  },
  "skip-tasks": { state: "scheduled", change: (tx) => skipTasks(tx, dagRunId, ["b", "a"]) },
  "skip-unfinished": { state: "running", change: (tx) => skipUnfinished(tx, dagRunId, "why") },
  "set-states": {
    state: "running",
    change: (tx) => setStates(tx, dagRunId, "failed", { taskIds: null, mapIndex: null, states: null }, "why"),
  },
  "stop-remaining": { state: "running", change: (tx) => stopRemaining(tx, dagRunId, [], ["running"], "why") },
  "clear-instances": { state: "running", change: (tx) => clearInstances(tx, dagRunId, null, null, "why") },
  "task-instance/set-states.ts setInstanceNotes": {
    state: "running",
    change: (tx) => setInstanceNotes(tx, dagRunId, { taskIds: null, mapIndex: null }, "n"),
  },
  "task-instance/set-states.ts noteInstances": { state: "running", change: (tx) => noteInstances(tx, dagRunId, instances, "n") },
  "repin-run": { state: "scheduled", change: (tx) => repinRun(tx, dagRunId, versionId, []) },
  "expand-tasks": {
    state: "running",
    change: (tx) =>
      expandTasks(
        tx,
        ["b", "a"].map((taskId) => ({ dagRunId, taskId, unmapped: "kept" as const, created: [], revived: [], removed: [-1] })),
      ),
  },
};

/** Statements that lock or change task instances without an order of their own, and why they need none. */
const WITHOUT_ORDER: Record<string, string> = {
  "adopt-tries": "what it changes is locked already, by orphaned-tries in the same transaction",
  "apply-changes": "leaves states in which only who has the run's lock changes an instance",
  "revive-run": "leaves states in which only who has the run's lock changes an instance",
  "orphaned-tries": "waits for no lock (skip locked)",
  "time-out-triggers": "waits for no lock (skip locked)",
  "dag-run/claim-runs.ts claim": "locks runs only, and waits for none",
  "lock-lifeless-runs": "locks runs only, and waits for none",
  "claim-triggers": "locks triggers only, and waits for none",
  "delete-xcom-by-try": "one instance, by its id",
  "hold-try": "one instance, by its id",
  "name-instance": "one instance, by its id",
  "set-map-length": "one instance, by its id",
  "set-rendered-fields": "one instance, by its id",
  "set-xcom-by-try": "one instance, by its id",
};

const statements = locksOn("task_instance");

test("every statement that locks or changes task instances is tried here, or says why it needs no order", () => {
  expect(statements.map(({ id }) => id).sort()).toEqual([...Object.keys(CASES), ...Object.keys(WITHOUT_ORDER)].sort());
});

test.each(Object.entries(CASES))(
  "%s locks in the order of ids, so that no two statements deadlock over the same instances",
  async (id, one) => {
    expect(await whileHeld(FIRST, id, one), "the last one is not locked before the first").toEqual({
      [FIRST]: false,
      [LAST]: true,
    });
    expect(await whileHeld(LAST, id, one), "both are locked").toEqual({ [FIRST]: false, [LAST]: false });
  },
);

/** Which instances are free while the statement waits for the one that is held. */
async function whileHeld(heldId: string, statementId: string, { state, change }: Case): Promise<Record<string, boolean>> {
  await prepare(state);
  const sent: string[] = [];
  const recorded = (tx: Db): Db => ({
    query(statement, values) {
      sent.push(typeof statement === "string" ? statement : statement.text);
      return tx.query(statement, values);
    },
  });
  const isFree = (id: string) =>
    database.store
      .query("select 1 from task_instance where id = $1 for update nowait", [id])
      .then(() => true)
      .catch(() => false);
  let free: Record<string, boolean> = {};
  let changing: Promise<unknown> = Promise.resolve();
  await database.store.transaction(async (holder) => {
    await holder.query("select 1 from task_instance where id = $1 for update", [heldId]);
    changing = database.store.transaction((tx) => change(recorded(tx)));
    await expect.poll(waitsForLock, { timeout: 5_000, interval: 5 }).toBe(true);
    free = { [FIRST]: await isFree(FIRST), [LAST]: await isFree(LAST) };
    expect(sent.at(-1), "it is this statement that waits").toMatch(
      statements.find(({ id }) => id === statementId)?.text ?? /never/,
    );
  });
  await changing;
  return free;
}

/** Two instances in this state, and no other; the last one first in the table, too. */
async function prepare(state: string): Promise<void> {
  await database.store.query("delete from dag_run");
  await trigger(database.store, "d");
  const { rows } = await database.store.query<{ id: number }>("select id from dag_run");
  dagRunId = rows[0]?.id ?? 0;
  for (const [taskId, id] of [
    ["b", LAST],
    ["a", FIRST],
  ] as const)
    await database.store.query(
      "update task_instance set id = $2, state = $3, start_date = now(), trigger_id = $4 where task_id = $1",
      [taskId, id, state, TRIGGERS[id]],
    );
}

test("instances are queued and found queued in the order they are named in, which is that of their priority", async () => {
  for (const ids of [
    [LAST, FIRST],
    [FIRST, LAST],
  ]) {
    await prepare("scheduled");
    expect((await queueInstances(database.store, ids, jobId)).map(({ id }) => id)).toEqual(ids);
    expect((await lockQueued(database.store, ids)).map(({ id }) => id)).toEqual(ids);
  }
});

async function waitsForLock(): Promise<boolean> {
  const waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  return (await database.store.query(waiting)).rows.length > 0;
}
