// The dag-processor with its real store and real evaluation children, together with a scheduler.

import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createRig, createSchedulerDatabase } from "../../../tests/support/scheduler-rig.ts";
import { DAG_DEFAULTS, type DagDefaults } from "../../contracts/index.ts";
import { createDagProcessor, type DagProcessor } from "../../dag-files/index.ts";
import { silentLogger, silentMetrics, systemClock } from "../../platform/index.ts";
import { createDagCache, createDagRun } from "../../scheduler/index.ts";
import { allImportErrors, findPlannedRuns, findRun } from "../../store/index.ts";
import { createSqlDagFileStore } from "./sql-dag-file-store.ts";

const HOUR = 3_600_000;
const hoursAgo = (n: number) => new Date(Math.floor(Date.now() / HOUR) * HOUR - n * HOUR);

let database: TestDatabase;
let folder: string;
let processor: DagProcessor;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  folder = await mkdtemp(join(tmpdir(), "timetables "));
  processor = createProcessor();
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true, force: true });
  await database.drop();
});

function createProcessor(dagDefaults: DagDefaults = DAG_DEFAULTS): DagProcessor {
  const options = {
    pausedAtCreation: false,
    activeBundles: [],
    executors: [{ name: "LocalExecutor", alias: null }],
    faultForExecutor: () => null,
  };
  return createDagProcessor(
    {
      store: createSqlDagFileStore(database.store, options),
      clock: systemClock,
      logger: silentLogger,
      metrics: silentMetrics,
    },
    {
      bundles: [{ name: "dags", path: folder }],
      cacheDir: join(folder, ".cache"),
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      dagbagImportTimeoutSec: 3,
      dagDefaults,
    },
  );
}

/** A DAG with a timetable class whose `nextRun` has this body. */
async function writeDag(body: string, options = ""): Promise<void> {
  await writeFile(
    join(folder, "tides.ts"),
    `import { dag, Timetable } from "baram";
import { EmptyOperator } from "baram/operators";
const HOUR = 3_600_000;
class Tides extends Timetable {
  description = "high water";
  nextRun(last: any, restriction: any): any { ${body} }
  inferManualDataInterval(at: Date) { return { dataIntervalStart: new Date(at.getTime() - HOUR), dataIntervalEnd: at }; }
}
export default dag({ dagId: "tides", schedule: new Tides(), ${options} }, () => { new EmptyOperator({ taskId: "t" }); });
`,
  );
  // With a modification time one minute ago, so that it counts as settled.
  const aMinuteAgo = new Date(Date.now() - 60_000);
  await utimes(join(folder, "tides.ts"), aMinuteAgo, aMinuteAgo);
}

const EVERY_HOUR = "return last ? new Date(last.runAfter.getTime() + HOUR) : restriction.earliest;";
const since = (n: number) => `startDate: "${hoursAgo(n).toISOString()}"`;

async function datesOf(dagId: string): Promise<string[]> {
  const { rows } = await database.store.query<{ date: Date }>(
    "select logical_date as date from dag_run where dag_id = $1 order by logical_date",
    [dagId],
  );
  return rows.map((row) => row.date.toISOString());
}
const isoHours = (...hours: number[]) => hours.map((n) => hoursAgo(n).toISOString());
const nextOf = async () =>
  (await database.store.query<{ next: Date | null }>("select next_dagrun as next from dag")).rows[0]?.next?.toISOString();
const drain = async () => (await createRig(database)).drain();

test("a class of the DAG file schedules its DAG, with catchup from the start date on", async () => {
  await writeDag(EVERY_HOUR, `catchup: true, ${since(3)}`);
  await processor.processOnce();
  await drain();
  expect(await datesOf("tides")).toEqual(isoHours(3, 2, 1, 0));
  expect(await nextOf()).toBe(hoursAgo(-1).toISOString());
  expect(await findPlannedRuns(database.store, "tides", null)).toHaveLength(1_000);
});

test("without catchup it runs for the latest date only; a run by hand gets the interval that the class says", async () => {
  await writeDag(EVERY_HOUR, since(30));
  await processor.processOnce();
  await drain();
  expect(await datesOf("tides")).toEqual(isoHours(0));
  const request = { dagId: "tides", logicalDate: new Date(hoursAgo(0).getTime() + 1), triggeredBy: "test" as const };
  const { runId } = await createDagRun(database.store, createDagCache(), "LocalExecutor", request, new Date());
  expect(await findRun(database.store, "tides", runId)).toMatchObject({
    dataIntervalStart: hoursAgo(1),
    dataIntervalEnd: hoursAgo(0),
  });
});

test("a plan that is half used up is made anew from the last run on, without a new DAG version; others are left alone", async () => {
  await writeDag(EVERY_HOUR, `catchup: true, ${since(700)}, maxActiveRuns: 1000`);
  await processor.processOnce();
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
  const [first] = await findPlannedRuns(database.store, "tides", null);
  // As if about six hundred runs had been created.
  await database.store.query(
    `insert into dag_run (dag_id, run_id, logical_date, data_interval_start, data_interval_end, run_after, run_type, state)
     select dag_id, 'r', logical_date, data_interval_start, data_interval_end, run_after, 'scheduled', 'success'
       from planned_run order by logical_date offset 600 limit 1`,
  );
  await database.store.query("update dag set next_dagrun_create_after = now()");
  expect(await processor.processOnce()).toMatchObject({ processed: 1, failed: 0 });
  const [next, ...rest] = await findPlannedRuns(database.store, "tides", null);
  expect(first?.logicalDate).toEqual(hoursAgo(700));
  expect([next?.logicalDate, rest.length]).toEqual([hoursAgo(99), 999]);
  expect(await nextOf()).toBe(hoursAgo(99).toISOString());
  expect((await database.store.query("select version_number as n from dag_version")).rows).toEqual([{ n: 1 }]);
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
});

const FAULTS: [what: string, body: string, message: string][] = [
  ["throws", 'throw new Error("no tide table");', "no tide table"],
  ["never returns", "for (;;) {}", "longer than 3 s"],
  ["goes back", "return new Date(0);", "went back"],
  ["answers nonsense", 'return "soon";', 'returned "soon"'],
];
test.each(FAULTS)(
  "a class that %s is an import error; what was planned before goes on, and so do other DAGs",
  async (_what, body, message) => {
    await writeDag(EVERY_HOUR, `catchup: true, ${since(2)}`);
    await writeFile(
      join(folder, "other.ts"),
      `import { dag } from "baram";\nexport default dag({ dagId: "other", schedule: "@hourly", catchup: true, ${since(2)} }, () => {});\n`,
    );
    await processor.processOnce();
    await writeDag(`if (last) { ${body} } ${EVERY_HOUR}`, `catchup: true, ${since(2)}`);
    expect(await processor.processOnce()).toMatchObject({ failed: 1 });
    const [error] = await allImportErrors(database.store);
    expect([error?.filename, error?.message]).toEqual(["tides.ts", expect.stringContaining(message)]);
    await drain();
    expect(await datesOf("tides")).toEqual(isoHours(2, 1, 0));
    expect(await datesOf("other")).toEqual(isoHours(2, 1, 0));
  },
);

test("a plan that is used up while no dag-processor runs halts its DAG, which goes on when one is back", async () => {
  await writeDag(EVERY_HOUR, `catchup: true, ${since(3)}`);
  await processor.processOnce();
  await database.store.query("delete from planned_run where logical_date > $1", [hoursAgo(2)]);
  await drain();
  expect(await datesOf("tides")).toEqual(isoHours(3, 2));
  expect(await nextOf()).toBeUndefined();
  await processor.stop();
  processor = createProcessor();
  await processor.processOnce();
  await drain();
  expect(await datesOf("tides")).toEqual(isoHours(3, 2, 1, 0));
});

test("another schedule, or another start date, moves the next run and repeats none", async () => {
  await writeDag(EVERY_HOUR, `catchup: true, ${since(2)}`);
  await processor.processOnce();
  await drain();
  await writeDag(EVERY_HOUR, `catchup: true, startDate: "${hoursAgo(-5).toISOString()}"`);
  await processor.processOnce();
  expect(await nextOf()).toBe(hoursAgo(-5).toISOString());
  await writeFile(
    join(folder, "tides.ts"),
    `import { cron, dag } from "baram";\nexport default dag({ dagId: "tides", schedule: cron("30 * * * *"), catchup: true, ${since(9)} }, () => {});\n`,
  );
  await processor.processOnce();
  expect(await nextOf()).toBe(new Date(hoursAgo(0).getTime() + HOUR / 2).toISOString());
  expect(await findPlannedRuns(database.store, "tides", null)).toEqual([]);
  await drain();
  expect((await datesOf("tides")).slice(0, 3)).toEqual(isoHours(2, 1, 0));
});

test("a changed default evaluates unchanged files anew", async () => {
  await writeFile(
    join(folder, "d.ts"),
    'import { dag } from "baram";\nexport default dag({ dagId: "d", schedule: "@daily" }, () => {});\n',
  );
  await processor.processOnce();
  await processor.stop();
  processor = createProcessor({ ...DAG_DEFAULTS, maxActiveRuns: 3, catchup: true, cronIntervals: true });
  expect(await processor.processOnce()).toMatchObject({ processed: 1, failed: 0 });
  const { rows } = await database.store.query<{ data: object; most: number }>(
    "select s.data, d.max_active_runs as most from dag d join serialized_dag s on s.dag_version_id = d.current_version_id",
  );
  expect(rows[0]).toMatchObject({ most: 3, data: { catchup: true, timetable: { intervals: true } } });
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
});

test("a cron that cannot be stored as text is an import error that can be", async () => {
  await writeFile(
    join(folder, "nul.ts"),
    'import { dag } from "baram";\nexport default dag({ dagId: "nul", schedule: "* * * * \\u0000" }, () => {});\n',
  );
  expect(await processor.processOnce()).toMatchObject({ failed: 1 });
  expect((await allImportErrors(database.store))[0]?.message).toContain("\\u0000");
});
