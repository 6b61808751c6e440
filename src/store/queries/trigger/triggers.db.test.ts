import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { countTriggers, deferredRows, deferTasks } from "../../../../tests/support/deferred-run.ts";
import {
  allPools,
  beatJob,
  buryJobs,
  claimTriggers,
  clearInstances,
  deleteDag,
  findOwnTriggers,
  findRun,
  finishTries,
  fireTriggers,
  releaseTriggers,
  releaseTriggersOfTheDead,
  type Store,
  selectCandidates,
  setPool,
  setStates,
  skipUnfinished,
  startJob,
  startTries,
  timeOutTriggers,
} from "../../index.ts";

let database: TestDatabase;
let store: Store;
let dags = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  store = database.store;
});
beforeEach(async () => {
  await store.query("delete from dag_run");
  await store.query("delete from job");
});
afterAll(() => database.drop());

const newDag = () => `d${++dags}`;
const job = () => startJob(store, { type: "TriggererJob", hostname: "h", pid: 1 });
const claim = (jobId: number, options: { capacity?: number; limit?: number; fairnessSec?: number } = {}, db: Store = store) =>
  claimTriggers(db, { jobId, capacity: 1_000, limit: 50, fairnessSec: 60, ...options });
const one = async (runId: string) => {
  const [row] = await deferredRows(store, runId);
  if (!row) throw new Error("the run has no task");
  return row;
};
const dagRunId = async (dagId: string, runId: string) => (await findRun(store, dagId, runId))?.id ?? 0;

describe("a deferral", () => {
  test("gives the try a new id under the same number and leaves one trigger", async () => {
    const runId = await deferTasks(store, newDag(), [{ timeoutSec: 60, executionTimeoutSec: 10 }]);
    const row = await one(runId);
    expect(row).toMatchObject({ state: "deferred", tryNumber: 1, nextMethod: "executeComplete" });
    expect(row.triggerId).not.toBeNull();
    expect(await countTriggers(store)).toBe(1);
    const { rows } = await store.query<{ sec: number }>(
      "select extract(epoch from trigger_timeout - first_start_date)::float8 as sec from task_instance where run_id = $1",
      [runId],
    );
    // The nearer of its own timeout and what is left of the execution's.
    expect(rows[0]?.sec).toBe(10);
  });

  test("takes no slot of its pool unless the pool counts deferred tasks", async () => {
    const dagId = newDag();
    await setPool(store, { pool: "narrow", slots: 2, description: null, includeDeferred: false });
    const runId = await deferTasks(store, dagId, [{}, {}, {}, {}]);
    await store.query("update task_instance set pool = 'narrow' where run_id = $1", [runId]);
    await store.query("update task_instance set state = 'scheduled' where run_id = $1 and task_id in ('t2', 't3')", [runId]);
    const query = { executors: [["LocalExecutor", 1_000] as const], limit: 10, heldBack: [], jobId: 0, only: null };
    const offered = () => store.transaction(async (tx) => (await selectCandidates(tx, query)).map((c) => c.taskId));
    expect(await offered()).toEqual(["t2", "t3"]);
    await setPool(store, { pool: "narrow", slots: 3, description: null, includeDeferred: true });
    expect(await offered()).toEqual(["t2"]);
    expect((await allPools(store)).find((pool) => pool.pool === "narrow")).toMatchObject({
      deferredSlots: 2,
      scheduledSlots: 2,
    });
  });
});

describe("an event", () => {
  test("lets the try go on once, however often it is told, and keeps its XComs and its first start", async () => {
    const runId = await deferTasks(store, newDag(), [{}]);
    const { triggerId, id } = await one(runId);
    await store.query(
      "insert into xcom (dag_run_id, task_id, key, value) select dag_run_id, task_id, 'k', '1' from task_instance where run_id = $1",
      [runId],
    );
    await store.query("update task_instance set first_start_date = now() - interval '1 hour' where run_id = $1", [runId]);
    const firing = { triggerId: triggerId ?? 0, event: Buffer.from("e"), failure: null };
    expect(await fireTriggers(store, [firing])).toEqual([triggerId]);
    expect(await fireTriggers(store, [firing])).toEqual([]);
    expect(await one(runId)).toMatchObject({
      state: "scheduled",
      tryNumber: 1,
      triggerId: null,
      nextMethod: "executeComplete",
      id,
    });
    expect(await countTriggers(store)).toBe(0);
    await store.query("update task_instance set state = 'queued' where run_id = $1", [runId]);
    const [started] = await startTries(store, [{ id, hostname: "h", unixname: "u", pid: 1 }]);
    expect(started).toMatchObject({ nextMethod: "executeComplete", nextEvent: Buffer.from("e"), tryNumber: 1 });
    expect(Date.now() - (started?.startDate.getTime() ?? 0)).toBeGreaterThan(3_000_000);
    expect((await store.query("select 1 from xcom")).rowCount).toBe(1);
    // What it went on with is forgotten with the try.
    await finishTries(store, [
      {
        id,
        state: "up_for_retry",
        deferral: null,
        nextAttemptInSec: 0,
        reason: null,
        xcoms: [],
        renderedFields: null,
        mapLength: null,
        renderedMapIndex: null,
      },
    ]);
    expect(await one(runId)).toMatchObject({ state: "up_for_retry", nextMethod: null });
  });

  test.each(["the event", "the timeout"])("and the timeout at once: one of them counts, when %s comes first", async (first) => {
    const runId = await deferTasks(store, newDag(), [{ timeoutSec: 0 }]);
    const { triggerId } = await one(runId);
    const firing = { triggerId: triggerId ?? 0, event: Buffer.from("e"), failure: null };
    const other = database.open();
    let second: Promise<number> = Promise.resolve(-1);
    await store.transaction(async (tx) => {
      if (first === "the event") {
        expect(await fireTriggers(tx, [firing])).toHaveLength(1);
        second = timeOutTriggers(other, 10);
      } else {
        expect(await timeOutTriggers(tx, 10)).toBe(1);
        second = fireTriggers(other, [firing]).then((ids) => ids.length);
      }
      // The second statement has met the first one's lock, or has passed it by.
      await Promise.race([second, waitsForLock(store)]);
    });
    expect(await second).toBe(0);
    const failure = first === "the event" ? null : "timeout";
    expect(await one(runId)).toMatchObject({
      state: "scheduled",
      nextFailure: failure,
      nextMethod: failure ? "__fail__" : "executeComplete",
    });
  });

  test("of a task that was cleared, marked, skipped or timed out with its run finds nobody; the trigger went with the state", async () => {
    const leave: Record<string, (run: number, dagId: string) => Promise<unknown>> = {
      cleared: (run) => clearInstances(store, run, null, null, "why"),
      marked: (run) => setStates(store, run, "failed", { taskIds: null, mapIndex: null, states: null }, "why"),
      "skipped with its run": (run) => skipUnfinished(store, run, "why"),
      deleted: (_run, dagId) => store.transaction((tx) => deleteDag(tx, dagId)),
    };
    for (const [how, act] of Object.entries(leave)) {
      const dagId = newDag();
      const runId = await deferTasks(store, dagId, [{}]);
      const { triggerId } = await one(runId);
      const told: (string | null)[] = [];
      const listener = store.listen("baram_triggerer", (payload) => told.push(payload));
      await expect.poll(() => told).toEqual([null]);
      await act(await dagRunId(dagId, runId), dagId);
      await expect.poll(() => told, { message: how }).toEqual([null, "gone"]);
      await listener.close();
      expect(await countTriggers(store), how).toBe(0);
      expect(await fireTriggers(store, [{ triggerId: triggerId ?? 0, event: null, failure: "x" }]), how).toEqual([]);
      expect(
        (await deferredRows(store, runId)).map((row) => row.nextMethod),
        how,
      ).toEqual(how === "deleted" ? [] : [null]);
    }
  });
});

describe("a claim", () => {
  test("takes by priority, then by age, and no more than the capacity", async () => {
    const runId = await deferTasks(store, newDag(), [{}, { priorityWeight: 5 }, {}, { priorityWeight: 9 }]);
    const me = await job();
    expect((await claim(me, { limit: 2 })).map((t) => t.taskId)).toEqual(["t3", "t1"]);
    const rest = (await deferredRows(store, runId)).filter((row) => row.taskId === "t0" || row.taskId === "t2");
    const oldest = Math.min(...rest.map((row) => row.triggerId ?? 0));
    expect((await claim(me, { capacity: 3 })).map((t) => t.id)).toEqual([oldest]);
    expect(await claim(me, { capacity: 3 })).toEqual([]);
    const own = await findOwnTriggers(store, me, [oldest]);
    expect(own.ids).toHaveLength(3);
    expect(own.missing.sort()).toEqual(own.ids.filter((id) => id !== oldest).sort());
  });

  test("is no more than a triggerer's share while others live, until nobody took the rest for a while", async () => {
    await deferTasks(
      store,
      newDag(),
      Array.from({ length: 10 }, () => ({})),
    );
    const [first, second] = [await job(), await job()];
    expect(await claim(first)).toHaveLength(5);
    expect(await claim(first)).toHaveLength(0);
    expect(await claim(second)).toHaveLength(5);
    await releaseTriggers(store, second, null);
    expect(await claim(first), "what was released just now is the other's share").toHaveLength(0);
    await store.query("update trigger set free_since = now() - interval '1 minute'");
    expect(await claim(first, { fairnessSec: 30 })).toHaveLength(5);
  });

  test("of two triggerers at once takes no trigger twice", async () => {
    await deferTasks(
      store,
      newDag(),
      Array.from({ length: 100 }, () => ({})),
    );
    const [first, second] = [await job(), await job()];
    const other = database.open();
    const taken = await Promise.all([
      claim(first, { limit: 30 }),
      claim(second, { limit: 30 }, other),
      claim(first, { limit: 30 }),
      claim(second, { limit: 30 }, other),
    ]);
    const ids = taken.flat().map((t) => t.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(30);
  });

  test("under a job that was buried takes nothing; what a dead one held is free again, deaths of its processes are counted", async () => {
    await deferTasks(store, newDag(), [{}, {}]);
    const [dead, alive] = [await job(), await job()];
    await claim(dead, { fairnessSec: 0 });
    await store.query("update job set latest_heartbeat = now() - interval '1 minute' where id = $1", [dead]);
    expect(await buryJobs(store, "TriggererJob", 30)).toBe(1);
    expect(await releaseTriggersOfTheDead(store)).toBe(2);
    expect(await beatJob(store, dead)).toBe(false);
    expect(await claim(dead)).toEqual([]);
    const taken = await claim(alive);
    expect(taken.map((t) => t.deaths)).toEqual([0, 0]);
    expect(await releaseTriggers(store, dead, [taken[0]?.id ?? 0], 1), "it is not the dead one's to give back").toBe(0);
    expect(await releaseTriggers(store, alive, [taken[0]?.id ?? 0], 1)).toBe(1);
    expect((await claim(alive)).map((t) => t.deaths)).toEqual([1]);
  });
});

async function waitsForLock(db: Pick<Store, "query">): Promise<void> {
  for (;;) {
    const { rows } = await db.query(
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    if (rows.length > 0) return;
  }
}
