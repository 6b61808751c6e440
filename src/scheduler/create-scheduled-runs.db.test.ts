import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import { setNextRun } from "../store/index.ts";
import { nextRun, restrictionOf } from "../timetables/index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const HOUR = 3_600_000;
const hourly = { type: "cron", expression: "0 * * * *", timezone: "UTC", intervals: false };
/** The full hour that was `n` hours ago. */
const hoursAgo = (n: number) => new Date(Math.floor(Date.now() / HOUR) * HOUR - n * HOUR);

/** As the dag-processor saves a DAG: with its first run's date. */
async function scheduled(given: { dagId: string; isPaused?: boolean } & Record<string, unknown>): Promise<void> {
  const { isPaused, ...facts } = { timetable: hourly, tasks: [{ taskId: "t" }], ...given };
  await saveDagFixture(database.store, facts, { isPaused: isPaused ?? false });
  const dag = serializedDag(facts);
  await setNextRun(
    database.store,
    dag.dagId,
    nextRun(dag.timetable, { last: null, restriction: restrictionOf(dag), now: new Date() }),
  );
}

async function datesOf(dagId: string): Promise<string[]> {
  const { rows } = await database.store.query<{ date: Date }>(
    "select logical_date as date from dag_run where dag_id = $1 order by logical_date",
    [dagId],
  );
  return rows.map((row) => row.date.toISOString());
}
const isoHours = (...hours: number[]) => hours.map((n) => hoursAgo(n).toISOString());
const noWork = { work: () => null };

test("with catchup every date since the start gets its run, in order, without a gap", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(5).toISOString(), catchup: true });
  await (await createRig(database)).drain();
  expect(await datesOf("d")).toEqual(isoHours(5, 4, 3, 2, 1, 0));
});

test("without catchup only the latest date that is due gets one", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(5).toISOString(), catchup: false });
  await (await createRig(database)).drain();
  expect(await datesOf("d")).toEqual(isoHours(0));
});

test("two schedulers at once create one run per DAG and logical date", async () => {
  const dags = Array.from({ length: 12 }, (_, at) => `d${at}`);
  for (const dagId of dags) await scheduled({ dagId, startDate: hoursAgo(9).toISOString(), catchup: true });
  const rigs = await Promise.all([createRig(database), createRig(database), createRig(database)]);
  await Promise.all(rigs.map((rig) => rig.drain()));
  // One that was too late may have left what another was at.
  for (const rig of rigs) await rig.drain();
  for (const dagId of dags) expect(await datesOf(dagId)).toEqual(isoHours(9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  const handed = rigs.flatMap((rig) => rig.executor.handed.map((one) => one.ti.id));
  expect(new Set(handed).size).toBe(120);
  expect(handed).toHaveLength(120);
});

test("@once makes one run, ever", async () => {
  await scheduled({ dagId: "d", timetable: { type: "once" }, startDate: hoursAgo(5).toISOString() });
  const rig = await createRig(database);
  await rig.drain();
  await rig.drain();
  expect(await datesOf("d")).toEqual(isoHours(5));
});

test("@continuous starts the next run when the last has ended, one at a time", async () => {
  await scheduled({ dagId: "d", timetable: { type: "continuous" }, maxActiveRuns: 1, startDate: hoursAgo(5).toISOString() });
  const rig = await createRig(database, noWork);
  for (let round = 1; round <= 4; round++) {
    await rig.drain();
    expect(await datesOf("d")).toHaveLength(round);
    await endAll(rig);
  }
});

async function endAll(rig: Rig): Promise<void> {
  await database.store.query("update task_instance set state = 'success' where state = 'queued'");
  await database.store.query("update dag_run set next_scan_at = now() where state = 'running'");
  rig.executor.inHand.clear();
}

test("maxActiveRuns caps creation: a long catch-up does not pile up queued runs", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(500).toISOString(), catchup: true, maxActiveRuns: 3 });
  const rig = await createRig(database, noWork);
  await rig.drain();
  expect(await datesOf("d")).toEqual(isoHours(500, 499, 498));
  await endAll(rig);
  await rig.drain();
  expect(await datesOf("d")).toEqual(isoHours(500, 499, 498, 497, 496, 495));
});

test("a manual run on a scheduled date makes the schedule go on with the next one", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(2).toISOString(), catchup: true });
  await trigger(database.store, "d", hoursAgo(2));
  await (await createRig(database)).drain();
  expect(await datesOf("d")).toEqual(isoHours(2, 1, 0));
  const { rows } = await database.store.query("select run_type as type, count(*)::int as n from dag_run group by 1 order by 1");
  expect(rows).toEqual([
    { type: "manual", n: 1 },
    { type: "scheduled", n: 2 },
  ]);
});

test("a paused or stale DAG gets no run, and none that is queued starts", async () => {
  await scheduled({ dagId: "paused", isPaused: true, startDate: hoursAgo(2).toISOString(), catchup: true });
  await scheduled({ dagId: "stale", startDate: hoursAgo(2).toISOString(), catchup: true });
  await database.store.query("update dag set is_stale = true where dag_id = 'stale'");
  const runId = await trigger(database.store, "paused", hoursAgo(7));
  await (await createRig(database)).drain();
  expect(await datesOf("paused")).toEqual(isoHours(7));
  expect(await runState(database.store, "paused", runId)).toBe("queued");
  expect(await datesOf("stale")).toEqual([]);
});

test("a run past its dagrunTimeout fails, its unfinished tasks are skipped, and its place is free for the next", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    dagrunTimeoutSec: 3_600,
    maxActiveRuns: 1,
    hasOnFailureCallback: true,
    tasks: [{ taskId: "a" }, { taskId: "b", upstream: ["a"] }],
  });
  const rig = await createRig(database, noWork);
  const first = await trigger(database.store, "d");
  const second = await trigger(database.store, "d");
  await rig.drain();
  expect(await runState(database.store, "d", second)).toBe("queued");
  await database.store.query("update dag_run set timeout_at = now(), next_scan_at = now() where run_id = $1", [first]);
  await rig.drain();
  expect(await runState(database.store, "d", first)).toBe("failed");
  expect(await statesOf(database.store, first)).toEqual({ a: "skipped", b: "skipped" });
  expect(await runState(database.store, "d", second)).toBe("running");
  const { rows } = await database.store.query<{ data: { reason: string } }>("select data from callback_request");
  expect(rows.map((row) => row.data.reason)).toEqual(["timed_out"]);
});

test("maxConsecutiveFailedDagRuns pauses the DAG at that many failures in a row, and no success in between counts", async () => {
  const outcomes = ["f", "f", "s", "f", "f", "f"];
  await saveDagFixture(database.store, { dagId: "d", maxConsecutiveFailedDagRuns: 3, tasks: [{ taskId: "t" }] });
  const isPaused = async () =>
    (await database.store.query<{ paused: boolean }>("select is_paused as paused from dag")).rows[0]?.paused;
  let at = 0;
  const rig = await createRig(database, {
    work: () => (outcomes[at] === "f" ? FAILURE : { state: "success", xcoms: [], skipTasks: [] }),
  });
  for (; at < outcomes.length; at++) {
    expect(await isPaused()).toBe(false);
    await trigger(database.store, "d");
    await rig.drain();
  }
  expect(await isPaused()).toBe(true);
});

const POISON: Record<string, string> = {
  "an unknown version": '{"schemaVersion": 99, "dagId": "bad"}',
  "no object": "[1, 2]",
  "a value that PostgreSQL refuses": JSON.stringify(
    serializedDag({ dagId: "bad", tasks: [{ taskId: "t", queue: "nul \u0000 byte" }] }),
  ),
  "a number beyond its column": JSON.stringify(
    serializedDag({ dagId: "bad", tasks: [{ taskId: "t", poolSlots: 9_999_999_999 }] }),
  ),
};
for (const [what, data] of Object.entries(POISON)) {
  test(`a serialized DAG with ${what} halts only itself`, async () => {
    await scheduled({ dagId: "bad", startDate: hoursAgo(3).toISOString() });
    await scheduled({ dagId: "good", startDate: hoursAgo(1).toISOString(), catchup: true });
    await database.store.query("update serialized_dag set data = $1 where dag_id = 'bad'", [data]);
    await (await createRig(database)).drain();
    expect(await datesOf("good")).toEqual(isoHours(1, 0));
    expect(await datesOf("bad")).toEqual([]);
    const { rows } = await database.store.query("select next_dagrun from dag where dag_id = 'bad'");
    expect(rows, "it is looked at again when its file changes").toEqual([{ next_dagrun: null }]);
  });
}
