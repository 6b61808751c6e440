import { afterEach, expect, test } from "vitest";
import { DAG_DEFAULTS } from "../../contracts/index.ts";
import { EmptyOperator } from "../../operators/index.ts";
import { serializeDag } from "../dag/serialize-dag.ts";
import { cron, crons, type DagOptions, dag, delta, events, Timetable } from "../index.ts";
import { setDagDefaults } from "../options/dag-defaults.ts";
import { planTimetable } from "./plan-timetable.ts";

afterEach(() => setDagDefaults(DAG_DEFAULTS));

const define = (options: Omit<DagOptions, "dagId">) => dag({ dagId: "d", ...options }, () => {});
const serialize = (schedule: DagOptions["schedule"]) => serializeDag(define({ schedule, timezone: "Asia/Seoul" }));

test("several crons are one schedule in the DAG's zone or their own", () => {
  expect(serialize(crons(["0 6 * * *", "0 18 * * 5", "0 6 * * *"]))).toMatchObject({
    timetable: { type: "crons", expressions: ["0 6 * * *", "0 18 * * 5"], timezone: "Asia/Seoul" },
    scheduleSummary: "0 6 * * *, 0 18 * * 5",
  });
  expect(serialize(crons(["@daily"], { timezone: "UTC", interval: "1h" })).timetable).toEqual({
    type: "crons",
    expressions: ["@daily"],
    timezone: "UTC",
    intervalSec: 3600,
  });
  expect(() => crons([])).toThrow("at least one");
  expect(() => crons("0 6 * * *" as never)).toThrow("a list of cron expressions");
});

test("events are sorted, made unique, and read in the DAG's zone", () => {
  const schedule = events(["2026-02-01T09:00", "2026-01-01T09:00:00Z", new Date("2026-01-01T09:00:00Z")], {
    restrictToEvents: true,
    description: "releases",
  });
  expect(serialize(schedule)).toMatchObject({
    timetable: {
      type: "events",
      dates: ["2026-01-01T09:00:00.000Z", "2026-02-01T00:00:00.000Z"],
      restrictToEvents: true,
      description: "releases",
    },
    scheduleSummary: "releases",
  });
  expect(() => define({ schedule: events(["tomorrow"]) })).toThrow('"tomorrow" is not an instant');
});

test("interval and runImmediately go with triggers only", () => {
  expect(serialize(cron("@daily", { interval: "1d", runImmediately: "10m" })).timetable).toMatchObject({
    intervals: false,
    intervalSec: 86_400,
    runImmediately: 600,
  });
  expect(serialize(delta("1h", { interval: "30m" })).timetable).toMatchObject({ intervals: false, intervalSec: 1_800 });
  expect(() => cron("@daily", { intervals: true, interval: "1d" })).toThrow("cannot go with");
});

test("what the file leaves open comes from the installation's defaults; what it says stands", () => {
  setDagDefaults({
    catchup: true,
    cronIntervals: true,
    deltaIntervals: true,
    maxActiveRuns: 3,
    maxActiveTasks: 4,
    maxConsecutiveFailedDagRuns: 5,
    owner: "ops",
    queue: "slow",
    retries: 2,
    retryDelaySec: 7,
    timezone: "UTC",
    weightRule: "upstream",
    executionTimeoutSec: 60,
  });
  const open = serializeDag(dag({ dagId: "open", schedule: "@daily" }, () => void new EmptyOperator({ taskId: "t" })));
  expect(open).toMatchObject({ catchup: true, maxActiveRuns: 3, maxActiveTasks: 4, maxConsecutiveFailedDagRuns: 5 });
  expect(open.timetable).toMatchObject({ intervals: true });
  expect(open.tasks[0]).toMatchObject({
    owner: "ops",
    queue: "slow",
    retries: 2,
    retryDelaySec: 7,
    weightRule: "upstream",
    executionTimeoutSec: 60,
  });
  expect(serialize({ hours: 1 }).timetable).toMatchObject({ intervals: true });
  expect(serialize(cron("@daily", { intervals: false })).timetable).toMatchObject({ intervals: false });
  expect(serialize(cron("@daily", { interval: "1h" })).timetable).toMatchObject({ intervals: false });
  const said = define({ catchup: false, maxActiveRuns: 1, maxActiveTasks: 1, maxConsecutiveFailedDagRuns: 0 });
  expect(serializeDag(said)).toMatchObject({
    catchup: false,
    maxActiveRuns: 1,
    maxActiveTasks: 1,
    maxConsecutiveFailedDagRuns: 0,
  });
  expect(serializeDag(define({ schedule: "@continuous" })).maxActiveRuns).toBe(1);
});

const HOUR = 3_600_000;
const START = Date.parse("2026-01-01T00:00:00Z");

/** Runs every hour from the start date on. */
class Hourly extends Timetable {
  override readonly description = "on the hour";
  asked = 0;
  override nextRun(...[last, restriction]: Parameters<Timetable["nextRun"]>): ReturnType<Timetable["nextRun"]> {
    this.asked++;
    return last ? new Date(last.runAfter.getTime() + HOUR) : restriction.earliest;
  }
}
const plan = (timetable: Timetable, options: Omit<DagOptions, "dagId" | "schedule">, now: number, seed = 0) => {
  const at = START + seed * HOUR;
  const past = { logicalDate: at, dataInterval: [at, at] as [number, number], runAfter: at };
  const definition = define({ startDate: new Date(START), ...options, schedule: timetable });
  return planTimetable(definition, timetable, seed === 0 ? null : { last: past, passed: null }, now);
};
const hoursOf = (planned: ReturnType<typeof plan>) => planned.runs.map((run) => (run.logicalDate - START) / HOUR);

test("a class of the author's own is serialized by its name alone", () => {
  expect(serialize(new Hourly())).toMatchObject({
    timetable: { type: "custom", name: "Hourly", description: "on the hour" },
    scheduleSummary: "Hourly",
  });
  expect(serialize(new Hourly())).not.toHaveProperty("customTimetable");
});

test("with catchup the plan holds the 1,000 runs after the last one", () => {
  const planned = plan(new Hourly(), { catchup: true }, START + 5_000 * HOUR, 7);
  expect([planned.runs.length, planned.hasEnded]).toEqual([1_000, false]);
  expect(hoursOf(planned).slice(0, 3)).toEqual([8, 9, 10]);
});

test("without catchup it holds the last two that are due, and 1,000 to come", () => {
  const planned = plan(new Hourly(), {}, START + 5_000.5 * HOUR);
  expect(hoursOf(planned).slice(0, 4)).toEqual([4_999, 5_000, 5_001, 5_002]);
  expect(planned.runs).toHaveLength(1_002);
});

test("without catchup a planned run that passed is where the next plan begins, however old the last run is", () => {
  const timetable = new Hourly();
  const at = (hour: number) => ({
    logicalDate: START + hour * HOUR,
    dataInterval: [START + hour * HOUR, START + hour * HOUR] as [number, number],
    runAfter: START + hour * HOUR,
  });
  const definition = define({ schedule: timetable });
  const planned = planTimetable(definition, timetable, { last: at(1), passed: at(9_000) }, START + 9_002.5 * HOUR);
  expect(hoursOf(planned)[0]).toBe(9_001);
  expect(timetable.asked).toBeLessThan(1_010);
});

test("start and end date hold whatever the class answers; at the end the plan has ended", () => {
  class Stubborn extends Hourly {
    override nextRun(...[last]: Parameters<Timetable["nextRun"]>) {
      return new Date((last?.runAfter.getTime() ?? START) + HOUR);
    }
  }
  const bounds = { startDate: new Date(START + 10 * HOUR), endDate: new Date(START + 12 * HOUR), catchup: true };
  expect([hoursOf(plan(new Stubborn(), bounds, START)), plan(new Stubborn(), bounds, START).hasEnded]).toEqual([
    [10, 11, 12],
    true,
  ]);
  expect(() => plan(new Stubborn(), { startDate: new Date(START + 20_000 * HOUR) }, START)).toThrow("restriction.earliest");
});

test("a class that changes the Dates it is given changes nothing else", () => {
  class Meddler extends Hourly {
    override nextRun(...[last, restriction]: Parameters<Timetable["nextRun"]>) {
      const next = new Date((last?.runAfter.getTime() ?? START) + HOUR);
      restriction.latest?.setTime(Number.MAX_SAFE_INTEGER);
      last?.runAfter.setTime(0);
      return next;
    }
  }
  expect(hoursOf(plan(new Meddler(), { endDate: new Date(START + 3 * HOUR), catchup: true }, START))).toEqual([1, 2, 3]);
});

test("inferManualDataInterval is asked at every planned run", () => {
  class Covering extends Hourly {
    override inferManualDataInterval(runAfter: Date) {
      return { dataIntervalStart: new Date(runAfter.getTime() - HOUR), dataIntervalEnd: runAfter };
    }
  }
  const [first] = plan(new Covering(), { catchup: true }, START).runs;
  expect(first?.manualInterval).toEqual([START - HOUR, START]);
  expect(plan(new Hourly(), { catchup: true }, START).runs[0]?.manualInterval).toBeNull();
});

test("a slow class is asked for two seconds; what it said until then is the plan", () => {
  const timetable = new Hourly();
  let elapsed = 0;
  const planned = planTimetable(define({ startDate: new Date(START), schedule: timetable }), timetable, null, START, () => {
    elapsed += 500;
    return elapsed;
  });
  expect([planned.runs.length, planned.hasEnded]).toEqual([5, false]);
});

const WRONG: [what: string, answer: unknown, message: string][] = [
  ["goes back", new Date(START - HOUR), "went back"],
  ["stands still", new Date(START + HOUR), "went back"],
  ["is no date", 17, "returned 17"],
  ["is undefined", undefined, "returned undefined"],
  ["is an invalid date", new Date(Number.NaN), "an invalid Date"],
  ["is a date nobody can store", new Date(8.64e15), "years 1900 to 9999"],
  ["is a promise", Promise.resolve(null), "must not be async"],
  ["is half an interval", { dataIntervalStart: new Date(START) }, "dataIntervalEnd = undefined"],
  [
    "is an interval that ends before it starts",
    { dataIntervalStart: new Date(START + 3 * HOUR), dataIntervalEnd: new Date(START + 2 * HOUR) },
    "before it starts",
  ],
];
test.each(WRONG)("an answer that %s is refused, naming DAG, method and value", (_what, answer, message) => {
  class Wrong extends Hourly {
    override nextRun(...[last]: Parameters<Timetable["nextRun"]>) {
      return last ? (answer as Date) : new Date(START + HOUR);
    }
  }
  expect(() => plan(new Wrong(), { catchup: true }, START)).toThrow('DAG "d": nextRun() of Wrong');
  expect(() => plan(new Wrong(), { catchup: true }, START)).toThrow(message);
});
