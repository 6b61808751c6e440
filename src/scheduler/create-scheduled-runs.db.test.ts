import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { FAILURE } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import { findRun, nextDueInSec, savePlan, setNextRun } from "../store/index.ts";
import { nextRun, type RunInstants, restrictionOf } from "../timetables/index.ts";
import { createDagCache, createDagRun } from "./commands/index.ts";
import { createScheduledRuns } from "./create-scheduled-runs.ts";

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

const runAt = (instant: Date): RunInstants => ({
  logicalDate: instant,
  dataIntervalStart: instant,
  dataIntervalEnd: instant,
  runAfter: instant,
});

/** As the dag-processor leaves a custom timetable: its runs planned ahead. */
async function planned(given: { dagId: string } & Record<string, unknown>, dates: Date[]): Promise<void> {
  await scheduled({ timetable: { type: "custom", name: "Tides", description: null }, ...given });
  const runs = dates.map((date) => ({ ...runAt(date), manualIntervalStart: null, manualIntervalEnd: null }));
  await savePlan(database.store, given.dagId, { runs, refreshAt: new Date(), byClock: false });
  await setNextRun(database.store, given.dagId, runs[0] ?? null);
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

test("a scheduler whose clock is an hour ahead or behind neither leaves dates out nor makes them early", async () => {
  const shifts = [HOUR, -HOUR];
  for (const [at, shift] of shifts.entries()) {
    const dagId = `d${at}`;
    await scheduled({ dagId, startDate: hoursAgo(5).toISOString(), catchup: false });
    const wrong = await createRig(database, { clock: { now: () => Date.now() + shift } });
    await wrong.drain();
    expect(await datesOf(dagId)).toEqual(isoHours(0));
    const { rows } = await database.store.query<{ next: Date }>("select next_dagrun as next from dag where dag_id = $1", [dagId]);
    expect(rows[0]?.next.toISOString()).toBe(hoursAgo(-1).toISOString());
  }
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

test("several schedulers at once create one run per date for several crons, events and custom timetables, too", async () => {
  const hours = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
  const expected = isoHours(...hours);
  const common = { startDate: hoursAgo(9).toISOString(), catchup: true };
  const twoCrons = { type: "crons", expressions: ["0 * * * *", "0 */2 * * *"], timezone: "UTC" };
  const events = { type: "events", dates: expected, restrictToEvents: false, description: null };
  for (let at = 0; at < 3; at++) {
    await scheduled({ dagId: `crons${at}`, timetable: twoCrons, ...common });
    await scheduled({ dagId: `events${at}`, timetable: events, ...common });
    await planned({ dagId: `custom${at}`, ...common }, hours.map(hoursAgo));
  }
  const rigs = await Promise.all([createRig(database), createRig(database), createRig(database)]);
  await Promise.all(rigs.map((rig) => rig.drain()));
  for (const rig of rigs) await rig.drain();
  for (const kind of ["crons", "events", "custom"])
    for (let at = 0; at < 3; at++) expect([kind, await datesOf(`${kind}${at}`)]).toEqual([kind, expected]);
});

test("after a downtime without catchup only the latest date that is due gets a run, whatever the schedule", async () => {
  const hours = [6, 5, 4, 3, 2, 1, 0];
  const schedules: Record<string, object> = {
    cron: hourly,
    crons: { type: "crons", expressions: ["0 * * * *", "0 0 * * *"], timezone: "UTC" },
    events: { type: "events", dates: isoHours(...hours), restrictToEvents: false, description: null },
  };
  for (const [dagId, timetable] of Object.entries(schedules)) await scheduled({ dagId, timetable });
  await planned({ dagId: "custom" }, hours.map(hoursAgo));
  const all = [...Object.keys(schedules), "custom"];
  // What the last scheduler to run had left as the next date.
  for (const dagId of all) await setNextRun(database.store, dagId, runAt(hoursAgo(5)));
  await scheduled({ dagId: "intervals", timetable: { ...hourly, intervals: true } });
  await setNextRun(database.store, "intervals", { ...runAt(hoursAgo(6)), dataIntervalEnd: hoursAgo(5), runAfter: hoursAgo(5) });
  await (await createRig(database)).drain();
  for (const dagId of all) expect([dagId, await datesOf(dagId)]).toEqual([dagId, isoHours(0)]);
  expect(await datesOf("intervals"), "the interval that ended last").toEqual(isoHours(1));
});

test("a DAG that was paused for hours runs once when it is unpaused without catchup, for every date with it", async () => {
  for (const catchup of [false, true]) {
    await scheduled({ dagId: `catchup-${catchup}`, isPaused: true, catchup, startDate: hoursAgo(4).toISOString() });
    await setNextRun(database.store, `catchup-${catchup}`, runAt(hoursAgo(4)));
  }
  const rig = await createRig(database);
  await rig.drain();
  expect(await datesOf("catchup-true")).toEqual([]);
  await database.store.query("update dag set is_paused = false");
  await rig.drain();
  expect(await datesOf("catchup-false")).toEqual(isoHours(0));
  expect(await datesOf("catchup-true")).toEqual(isoHours(4, 3, 2, 1, 0));
});

test("a DAG paused in the middle of its catchup goes on where it stopped, without a gap", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(5).toISOString(), catchup: true, maxActiveRuns: 2 });
  const rig = await createRig(database, noWork);
  await rig.drain();
  await database.store.query("update dag set is_paused = true");
  await endAll(rig);
  await rig.drain();
  expect(await datesOf("d")).toEqual(isoHours(5, 4));
  await database.store.query("update dag set is_paused = false");
  for (let round = 0; round < 3; round++) {
    await endAll(rig);
    await rig.drain();
  }
  expect(await datesOf("d")).toEqual(isoHours(5, 4, 3, 2, 1, 0));
});

test("after its endDate a DAG gets no further run", async () => {
  const bounds = { startDate: hoursAgo(5).toISOString(), endDate: hoursAgo(3).toISOString(), catchup: true };
  await scheduled({ dagId: "d", ...bounds });
  await (await createRig(database)).drain();
  expect(await datesOf("d")).toEqual(isoHours(5, 4, 3));
  expect((await database.store.query("select next_dagrun from dag")).rows).toEqual([{ next_dagrun: null }]);
});

test("years of minutely runs to catch up come in bounded batches and keep no other DAG waiting", async () => {
  const minutely = { ...hourly, expression: "* * * * *" };
  const year = new Date(Date.now() - 366 * 24 * HOUR).toISOString();
  for (let at = 0; at < 6; at++) {
    await scheduled({ dagId: `a${at}`, timetable: minutely, startDate: year, catchup: true, maxActiveRuns: 1_000_000 });
  }
  await scheduled({ dagId: "z", startDate: hoursAgo(0).toISOString(), catchup: true });
  const rig = await createRig(database, { ...noWork, settings: { maxRunsToCreate: 4 } });
  for (let round = 1; round <= 5; round++) {
    expect(await createScheduledRuns(rig.resources, rig.options)).toBeLessThanOrEqual(4);
    expect(await datesOf("z"), "the first batch has room for what became due last").toEqual(isoHours(0));
  }
  const { rows } = await database.store.query<{ least: number; most: number; all: number }>(
    "select min(n)::int as least, max(n)::int as most, sum(n)::int as all from (select count(*) as n from dag_run where dag_id <> 'z' group by dag_id) x",
  );
  expect(rows[0]?.all).toBeGreaterThan(12);
  const some = await datesOf("a0");
  expect(some).toEqual([...new Set(some)]);
});

const triggerFor = (dagId: string, logicalDate: Date) =>
  createDagRun(
    database.store,
    createDagCache(),
    "LocalExecutor",
    { dagId, logicalDate, triggeredBy: "test", mayBeInFuture: true },
    new Date(),
  );

test("a run for a date to come waits queued and takes no place meanwhile", async () => {
  await scheduled({ dagId: "d", startDate: hoursAgo(2).toISOString(), catchup: true, maxActiveRuns: 1 });
  const { runId } = await triggerFor("d", hoursAgo(-2));
  await (await createRig(database)).drain();
  expect(await runState(database.store, "d", runId)).toBe("queued");
  expect(await datesOf("d")).toEqual(isoHours(2, 1, 0, -2));
  expect(await nextDueInSec(database.store)).toBeLessThanOrEqual(2 * 3_600);
});

test("a run for a date to come starts at that date, although nothing else wakes the scheduler", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  const rig = await createRig(database, { settings: { idleSleepSec: 60, heartbeatSec: 60 } });
  const scheduler = await rig.start();
  const date = new Date(Date.now() + 900);
  const { runId } = await triggerFor("d", date);
  try {
    await expect.poll(() => runState(database.store, "d", runId), { timeout: 20_000, interval: 50 }).toBe("success");
  } finally {
    await scheduler.stop();
  }
  const { rows } = await database.store.query<{ late: number }>(
    "select extract(epoch from start_date - run_after)::float8 as late from dag_run",
  );
  expect(rows[0]?.late).toBeGreaterThanOrEqual(0);
});

test("a date that comes due gets its run although tasks end without a pause", async () => {
  const rig = await createRig(database, { ...noWork, settings: { idleSleepSec: 0.2, heartbeatSec: 60 } });
  const scheduler = await rig.start();
  const ends = setInterval(() => scheduler.wake(), 1);
  try {
    // Nothing notifies: its date was in the database when the first pass was over.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await scheduled({ dagId: "d", startDate: hoursAgo(1).toISOString() });
    await expect.poll(() => datesOf("d"), { timeout: 10_000, interval: 50 }).not.toEqual([]);
  } finally {
    clearInterval(ends);
    await scheduler.stop();
  }
});

test("a date to come is refused unless the installation allows it; the message names the option", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  await expect(trigger(database.store, "d", hoursAgo(-1))).rejects.toMatchObject({
    code: "logical_date_in_future",
    message: expect.stringContaining("[scheduler] allow_trigger_in_future"),
  });
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

test("a run past its dagrunTimeout says so in its note, in the audit log and in the logs of the tries it stopped", async () => {
  const tasks = [{ taskId: "runs" }, { taskId: "queued" }, { taskId: "later", upstream: ["runs"] }];
  await saveDagFixture(database.store, { dagId: "d", dagrunTimeoutSec: 90, tasks });
  const lines: string[] = [];
  const noteInTryLog = async (path: string, message: string) => void lines.push(`${path}: ${message}`);
  const rig = await createRig(database, { ...noWork, noteInTryLog });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  await database.store.query("update task_instance set state = 'running', start_date = now() where task_id = 'runs'");
  await database.store.query("update dag_run set timeout_at = now(), next_scan_at = now(), note = 'mine'");
  await rig.drain();
  const run = await findRun(database.store, "d", runId);
  expect(run?.note).toBe("mine\nFailed after its dagrunTimeout of 90 s; task instances that had not ended, and were skipped: 3.");
  expect(lines).toEqual([
    `dag_id=d/run_id=${runId}/task_id=runs/attempt=1.log: the scheduler ended this try: its DAG run took longer than its dagrunTimeout of 90 s`,
  ]);
  const { rows } = await database.store.query("select event, owner, run_id as run, extra from log where event = 'timed_out'");
  expect(rows).toEqual([{ event: "timed_out", owner: "scheduler", run: runId, extra: { timeoutSec: 90, skipped: 3 } }]);
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
  "a number beyond its column": JSON.stringify(serializedDag({ dagId: "bad", tasks: [{ taskId: "t", poolSlots: 7 }] })).replace(
    '"poolSlots":7',
    '"poolSlots":9999999999',
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
    const { rows } = await database.store.query("select kind, subject from set_aside");
    expect(rows, "it is tried by itself").toEqual([{ kind: "schedule", subject: "bad" }]);
  });
}
