/** Dates: clock changes, invalid cron expressions, and far too many due dates at once. */
import type { ExecuteTask } from "../../../src/contracts/index.ts";
import { silentLogger, sleep } from "../../../src/platform/index.ts";
import type { Rig } from "../../support/scheduler-rig.ts";
import { CALM, calmDag, playCalm } from "../bystander.ts";
import { openDagFolder } from "../dag-folder.ts";
import type { Fault } from "../fault.ts";
import { onRigs, type Rigs, specless } from "../rigs.ts";
import { saveScheduled } from "../save-scheduled.ts";
import { expectedInstants, offsetMs } from "../wall-clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Instants at which clocks go forward and back; Lord Howe's by 30 minutes. */
const CHANGES: readonly { zone: string; at: string }[] = [
  { zone: "America/New_York", at: "2025-03-09T07:00Z" },
  { zone: "America/New_York", at: "2025-11-02T06:00Z" },
  { zone: "Europe/Zurich", at: "2025-03-30T01:00Z" },
  { zone: "Europe/Zurich", at: "2025-10-26T01:00Z" },
  { zone: "Australia/Sydney", at: "2025-04-05T16:00Z" },
  { zone: "Australia/Sydney", at: "2025-10-04T16:00Z" },
  { zone: "Australia/Lord_Howe", at: "2025-04-05T15:00Z" },
  { zone: "Australia/Lord_Howe", at: "2025-10-04T15:30Z" },
];
/** Schedules around the change: open hour fields for some hours, and times of day for some days. */
const SCHEDULES = [
  { expression: "30 2 * * *", aroundMs: 60 * HOUR_MS },
  { expression: "0 7,9 * * *", aroundMs: 60 * HOUR_MS },
  { expression: "*/15 * * * *", aroundMs: 5 * HOUR_MS },
  { expression: "0 * * * *", aroundMs: 8 * HOUR_MS },
];

export const scheduleFaults: readonly Fault[] = [
  {
    number: 27,
    name: "clock-changes",
    injects: "catch-up across both changes of the clocks in New York, Zurich, Sydney and Lord Howe, by three schedulers",
    invariants: ["I6"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs({ pools: [], dags: [] }, async (rigs) => {
        const { store } = rigs.database;
        const wanted = new Map<string, { dates: number[]; intervals: boolean }>();
        const changed = new Set<string>();
        for (const { zone, at } of CHANGES)
          for (const { expression, aroundMs } of SCHEDULES)
            for (const intervals of isShort ? [random.chance(0.5)] : [true, false]) {
              const change = Date.parse(at);
              const [from, to] = [change - aroundMs, change + aroundMs];
              const dagId = `dst_${wanted.size}`;
              const [startDate, endDate] = [new Date(from), new Date(to)];
              await saveScheduled(store, { dagId, expression, timezone: zone, intervals, startDate, endDate, tasks: [] });
              wanted.set(dagId, { dates: expectedInstants(expression, zone, from, to), intervals });
              if (offsetMs(zone, change - 1) !== offsetMs(zone, change)) changed.add(`${zone} ${at}`);
            }
        const all = [await rigs.rig(), await rigs.rig(), await rigs.rig()];
        await untilCreated(rigs, all);
        const made = await runsOf(rigs);
        const wrong: string[] = [];
        for (const [dagId, { dates, intervals }] of wanted) {
          const runs = made.get(dagId) ?? [];
          const got = runs.map((run) => run.at);
          if (got.join() !== dates.join())
            wrong.push(
              `${dagId}: created ${tell(got.filter((one) => !dates.includes(one)))} too many or twice, left out ${tell(dates.filter((one) => !got.includes(one)))}`,
            );
          if (!intervals) continue;
          for (const [at, run] of runs.entries()) {
            if (run.end <= run.start) wrong.push(`${dagId} ${tell([run.at])} has an empty interval`);
            const next = runs[at + 1];
            if (next && next.start !== run.end) wrong.push(`${dagId} ${tell([run.at])} does not touch the interval after it`);
          }
        }
        const count = [...made.values()].reduce((sum, runs) => sum + runs.length, 0);
        return {
          fired: changed.size,
          note: `${count} runs of ${wanted.size} schedules`,
          faults: [{ invariant: "I6" as const, faults: wrong }],
        };
      }),
  },
  {
    number: 28,
    name: "cron-zoo",
    injects:
      "expressions that never run, are broken or huge; a refused one that stands in the database; leap days and month ends",
    invariants: ["I6", "I9"],
    short: true,
    run: ({ random, isShort }) =>
      onRigs({ pools: [], dags: [calmDag(random)] }, async (rigs) => {
        const { store } = rigs.database;
        const rounds = isShort ? 8 : 20;
        const all = [await rigs.rig(), await rigs.rig()];
        await playCalm(rigs, all, rounds);
        const faultFromMs = Date.now();
        const folder = await openDagFolder(rigs.database);
        const wrong: string[] = [];
        let fired = 0;
        try {
          for (const [at, expression] of REFUSED.entries()) await folder.write(`bad_${at}.ts`, cronFile(`bad_${at}`, expression));
          await folder.write("good.ts", cronFile("good", "0 0 29 2 *"));
          await folder.process();
          const errors = await folder.errors();
          for (const [at, expression] of REFUSED.entries()) {
            const error = errors.get(`bad_${at}.ts`);
            if (error === undefined) wrong.push(`"${expression.slice(0, 40)}" was not refused`);
            else fired++;
          }
          if (errors.size !== REFUSED.length) wrong.push(`${errors.size} files have an error; ${REFUSED.length} are wrong`);
        } finally {
          await folder.close();
        }
        // Stored by an older version, which accepted it.
        const startDate = new Date("2025-01-01T00:00Z");
        await saveScheduled(store, { dagId: "let_in", expression: "0 0 1 * *", startDate, tasks: [] });
        await store.query(
          "update serialized_dag set data = jsonb_set(data::jsonb, '{timetable,expression}', '\"0 0 31 2 *\"')::json where dag_id = 'let_in'",
        );
        for (const { dagId, expression, from, to } of CALENDAR)
          await saveScheduled(store, { dagId, expression, startDate: new Date(from), endDate: new Date(to), tasks: [] });
        await playCalm(rigs, all, rounds);
        await untilCreated(rigs, all, ["let_in", "good"]);
        const made = await runsOf(rigs);
        for (const { dagId, dates } of CALENDAR) {
          const got = (made.get(dagId) ?? []).map((run) => new Date(run.at).toISOString().slice(0, 10));
          if (got.join() !== dates.join()) wrong.push(`${dagId} ran for ${got}, not for ${dates}`);
        }
        return {
          fired,
          faults: [
            { invariant: "I6" as const, faults: wrong },
            { invariant: "I9" as const, faults: rigs.caught.map((message) => `a pass failed: ${message}`) },
          ],
          expect: { bystanders: { dagIds: [CALM], faultFromMs } },
        };
      }),
  },
  {
    number: 29,
    name: "catchup-storm",
    injects: "50 minutely DAGs with a year to catch up on, unpaused at once",
    invariants: ["I5", "I6", "I9"],
    short: true,
    run: ({ random, isShort }) => {
      const dags = Array.from({ length: 50 }, (_, at) => stormDag(`storm_${at}`));
      return onRigs({ pools: [], dags: [calmDag(random), ...dags] }, async (rigs) => {
        const { store } = rigs.database;
        const startDate = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 365 * DAY_MS);
        for (const { dagId, tasks, maxActiveRuns } of dags)
          await saveScheduled(store, {
            dagId,
            expression: "* * * * *",
            startDate,
            isPaused: true,
            maxActiveRuns,
            tasks: specless(tasks),
          });
        await store.query("update dag set is_paused = true where dag_id like 'storm%'");
        const cap = 10;
        // 100 runs at most, for a pool of 128: in a full pool the oldest run goes first, as in Airflow, and that run is a year
        // old. The tasks take some time; otherwise the schedulers would only be busy with their ends.
        const before = ({ ti }: ExecuteTask) => (ti.dagId === CALM ? Promise.resolve() : sleep(200));
        const logger = { ...silentLogger, error: (facts: object) => void rigs.caught.push(JSON.stringify(facts)) };
        const given = { settings: { maxRunsToCreate: cap }, before, logger };
        const all = [await rigs.rig(given), await rigs.rig(given)];
        const loops = await Promise.all(all.map((rig) => rig.start()));
        const wrong: string[] = [];
        let faultFromMs = 0;
        try {
          await playCalm(rigs, [], isShort ? 6 : 15);
          await store.query("update dag set is_paused = false");
          faultFromMs = Date.now();
          await playCalm(rigs, [], isShort ? 15 : 80);
          wrong.push(...(await createdAtOnce(rigs, cap)));
          const { rows } = await store.query<{ dag: string; n: number }>(
            "select dag_id as dag, count(*)::int as n from dag_run where state in ('queued', 'running') and dag_id like 'storm%' group by 1 having count(*) > 2",
          );
          for (const { dag, n } of rows) wrong.push(`${n} unfinished runs of ${dag}; maxActiveRuns is 2`);
          await store.query("update dag set next_dagrun = null, next_dagrun_create_after = null where dag_id like 'storm%'");
        } finally {
          await Promise.all(loops.map((loop) => loop.stop()));
        }
        await rigs.untilDone(all, 60_000);
        const made = await runsOf(rigs);
        const storms = dags.filter(({ dagId }) => (made.get(dagId)?.length ?? 0) > 1);
        wrong.push(...rigs.caught.map((message) => `a pass failed: ${message}`));
        if (storms.length < 25) wrong.push(`only ${storms.length} of 50 DAGs got more than one run`);
        const count = storms.reduce((sum, { dagId }) => sum + (made.get(dagId)?.length ?? 0), 0);
        return {
          fired: storms.length,
          note: `${count} runs caught up`,
          faults: [{ invariant: "I5" as const, faults: wrong }],
          expect: { intervalMs: MINUTE_MS, bystanders: { dagIds: [CALM], faultFromMs } },
        };
      });
    },
  },
  {
    number: 30,
    name: "downtime",
    injects: "no scheduler for an hour, then three at once, with and without catchup",
    invariants: ["I5", "I6"],
    short: true,
    run: ({ isShort }) =>
      onRigs(
        { pools: [], dags: ["caught_up", "latest_only"].map(stormDag) },
        async (rigs) => {
          const { store } = rigs.database;
          const downMinutes = 60;
          const lastDate = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - downMinutes * MINUTE_MS;
          for (const [dagId, catchup] of [
            ["caught_up", true],
            ["latest_only", false],
          ] as const)
            await saveScheduled(store, {
              dagId,
              catchup,
              expression: "* * * * *",
              startDate: new Date(lastDate),
              maxActiveRuns: 3,
              tasks: [{ taskId: "a" }],
            });
          // As the last scheduler left it an hour ago.
          await store.query(
            `update dag set next_dagrun = $1::timestamptz, next_dagrun_data_interval_start = $1, next_dagrun_data_interval_end = $1, next_dagrun_create_after = $1`,
            [new Date(lastDate)],
          );
          const backMs = Date.now();
          const all = [await rigs.rig(), await rigs.rig(), await rigs.rig()];
          await untilCreated(rigs, all);
          await rigs.untilDone(all);
          const made = await runsOf(rigs);
          const dueBefore = (dagId: string) => (made.get(dagId) ?? []).filter((run) => run.at <= backMs).length;
          const wrong: string[] = [];
          if (dueBefore("caught_up") !== downMinutes + 1)
            wrong.push(`${dueBefore("caught_up")} of ${downMinutes + 1} dates were caught up`);
          if (dueBefore("latest_only") !== 1)
            wrong.push(`${dueBefore("latest_only")} runs without catchup; only the latest is due`);
          return {
            fired: dueBefore("caught_up") > 10 ? 1 : 0,
            note: isShort ? undefined : `${dueBefore("caught_up")} runs`,
            faults: [{ invariant: "I6" as const, faults: wrong }],
          };
        },
        { intervalMs: MINUTE_MS },
      ),
  },
];

const REFUSED = [
  "0 0 31 2 *",
  "0 0 30 2 *",
  "",
  "   ",
  `${"1,".repeat(5_000)}1 * * * *`,
  "*/-1 * * * *",
  "*/0 * * * *",
  "60 * * * *",
  "* 24 * * *",
  "* * 0 * *",
  "* * * 13 *",
  "@nope",
  "* * * *",
  "* * * * * *",
  "10-5 * * * *",
  "a b c d e",
  "* * * * *\\u0000",
];

const CALENDAR = [
  {
    dagId: "leap_day",
    expression: "0 0 29 2 *",
    from: "2015-01-01T00:00Z",
    to: "2026-01-01T00:00Z",
    dates: ["2016-02-29", "2020-02-29", "2024-02-29"],
  },
  {
    dagId: "the_31st",
    expression: "0 0 31 * *",
    from: "2024-01-01T00:00Z",
    to: "2024-12-31T12:00Z",
    dates: ["2024-01-31", "2024-03-31", "2024-05-31", "2024-07-31", "2024-08-31", "2024-10-31", "2024-12-31"],
  },
  {
    dagId: "february_28",
    expression: "0 0 28-31 2 *",
    from: "2023-01-01T00:00Z",
    to: "2024-12-31T00:00Z",
    dates: ["2023-02-28", "2024-02-28", "2024-02-29"],
  },
];

function cronFile(dagId: string, expression: string): string {
  return `import { dag } from "baram";\nexport default dag({ dagId: "${dagId}", schedule: "${expression}", startDate: "2019-01-01T00:00:00Z", catchup: false }, () => {});\n`;
}

function stormDag(dagId: string) {
  const task = { taskId: "a", upstream: [], retries: 0, failTries: 0, durationMs: 0 };
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 2, tasks: [task] };
}

/** Passes of all schedulers at the same time, until no date is due. */
async function untilCreated(rigs: Rigs, all: readonly Rig[], but: string[] = []): Promise<void> {
  const open = "select 1 from dag where next_dagrun_create_after <= now() and dag_id <> all($1) limit 1";
  const deadline = Date.now() + 60_000;
  while ((await rigs.database.store.query(open, [but])).rows.length > 0) {
    if (Date.now() > deadline) throw new Error("dates are still due after 60 s");
    await Promise.all(all.map((rig) => rig.pass().catch((error: Error) => rigs.caught.push(error.message))));
    await Promise.all(all.map((rig) => rig.executor.settled()));
  }
  // A pass creates runs last, so new runs start in the next pass.
  for (const rig of all) await rig.drain();
}

type Made = { at: number; start: number; end: number };

/** Scheduled runs by DAG, by date. */
async function runsOf(rigs: Rigs): Promise<Map<string, Made[]>> {
  const { rows } = await rigs.database.store.query<{ dag: string; at: Date; start: Date; end: Date }>(
    `select dag_id as dag, logical_date as at, data_interval_start as start, data_interval_end as end
       from dag_run where run_type = 'scheduled' order by logical_date`,
  );
  const made = new Map<string, Made[]>();
  for (const { dag, at, start, end } of rows) {
    const list = made.get(dag) ?? [];
    list.push({ at: at.getTime(), start: start.getTime(), end: end.getTime() });
    made.set(dag, list);
  }
  return made;
}

const tell = (instants: readonly number[]) => `[${instants.map((at) => new Date(at).toISOString().slice(0, 16)).join(", ")}]`;

/** Runs that one transaction created, if they are more than a pass may create. */
async function createdAtOnce(rigs: Rigs, cap: number): Promise<string[]> {
  const { rows } = await rigs.database.store.query<{ n: number }>(
    "select count(*)::int as n from dag_run where run_type = 'scheduled' group by created_at having count(*) > $1",
    [cap],
  );
  return rows.map(({ n }) => `one pass created ${n} runs; ${cap} are allowed`);
}
