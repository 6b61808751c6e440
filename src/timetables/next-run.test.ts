import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SerializedTimetable } from "../contracts/index.ts";
import { manualRunInterval } from "./manual-run.ts";
import { dueRun, nextRun, nextRuns } from "./next-run.ts";
import { type LastRun, type Restriction, runAt, runOver } from "./run-instants.ts";

const at = (iso: string) => Date.parse(`${iso}Z`);
const daily: SerializedTimetable = { type: "cron", expression: "@daily", timezone: "UTC", intervals: false };
const dailyIntervals: SerializedTimetable = { ...daily, intervals: true };
const fiveMinutes: SerializedTimetable = { type: "delta", seconds: 300, intervals: false };
const open: Restriction = { earliest: null, latest: null, catchup: false };
const lastAt = (start: number, end = start): LastRun => ({
  logicalDate: start,
  dataIntervalStart: start,
  dataIntervalEnd: end,
  runAfter: end,
});

function logicalDate(
  timetable: SerializedTimetable,
  now: string,
  restriction: Partial<Restriction> = {},
  last: LastRun | null = null,
) {
  const run = nextRun(timetable, { last, restriction: { ...open, ...restriction }, now: at(now) });
  return run && new Date(run.logicalDate).toISOString();
}

describe("cron trigger", () => {
  test("logical date, interval and due time are the cron instant", () => {
    const instant = at("2026-01-02T00:00");
    const run = nextRun(daily, {
      last: null,
      restriction: { ...open, earliest: instant, catchup: true },
      now: at("2026-03-01T00:00"),
    });
    expect(run).toEqual({ logicalDate: instant, dataIntervalStart: instant, dataIntervalEnd: instant, runAfter: instant });
  });
  test("catchup starts at the start date aligned to the cron, however late", () => {
    expect(logicalDate(daily, "2026-03-01T12:00", { earliest: at("2026-01-01T05:00"), catchup: true })).toBe(
      "2026-01-02T00:00:00.000Z",
    );
  });
  test("without catchup the latest one that is due comes first", () => {
    expect(logicalDate(daily, "2026-03-01T12:00", { earliest: at("2026-01-01T00:00") })).toBe("2026-03-01T00:00:00.000Z");
  });
  test("without catchup a last run that is recent leads to the next in the future", () => {
    expect(logicalDate(daily, "2026-03-01T12:00", {}, lastAt(at("2026-03-01T00:00")))).toBe("2026-03-02T00:00:00.000Z");
  });
  test("without a start date an instant long past does not run, one just past does", () => {
    expect(logicalDate(daily, "2026-03-01T12:00")).toBe("2026-03-02T00:00:00.000Z");
    expect(logicalDate(daily, "2026-03-01T02:00")).toBe("2026-03-01T00:00:00.000Z");
  });
  test("the end date is inclusive", () => {
    const last = lastAt(at("2026-01-01T00:00"));
    expect(logicalDate(daily, "2026-03-01T00:00", { latest: at("2026-01-02T00:00"), catchup: true }, last)).toBe(
      "2026-01-02T00:00:00.000Z",
    );
    expect(logicalDate(daily, "2026-03-01T00:00", { latest: at("2026-01-01T23:59"), catchup: true }, last)).toBeNull();
  });
  test("a start date in the future waits", () => {
    expect(logicalDate(daily, "2026-03-01T12:00", { earliest: at("2027-01-01T00:00") })).toBe("2027-01-01T00:00:00.000Z");
  });
});

describe("cron with data intervals", () => {
  test("the run is due when its interval ends", () => {
    const run = nextRun(dailyIntervals, {
      last: null,
      restriction: { ...open, earliest: at("2026-01-01T00:00"), catchup: true },
      now: 0,
    });
    expect(run).toEqual({
      logicalDate: at("2026-01-01T00:00"),
      dataIntervalStart: at("2026-01-01T00:00"),
      dataIntervalEnd: at("2026-01-02T00:00"),
      runAfter: at("2026-01-02T00:00"),
    });
  });
  test("without catchup the newest complete interval is next; one that ends right now counts", () => {
    expect(logicalDate(dailyIntervals, "2026-03-01T12:00")).toBe("2026-02-28T00:00:00.000Z");
    expect(logicalDate(dailyIntervals, "2026-03-01T00:00")).toBe("2026-02-28T00:00:00.000Z");
  });
  test("catchup without a start date has no first interval", () => {
    expect(logicalDate(dailyIntervals, "2026-03-01T12:00", { catchup: true })).toBeNull();
  });
  test("a changed schedule never steps back to a logical date that ran", () => {
    const monthly: SerializedTimetable = { type: "cron", expression: "@monthly", timezone: "UTC", intervals: true };
    const last = lastAt(at("2026-02-10T00:00"), at("2026-02-11T00:00"));
    const run = nextRun(monthly, { last, restriction: { ...open, catchup: true }, now: at("2026-02-11T00:00") });
    expect(run?.logicalDate).toBe(at("2026-03-01T00:00"));
  });
});

describe("delta", () => {
  test("trigger: from the start date, then from the last run", () => {
    expect(logicalDate(fiveMinutes, "2026-01-01T01:00", { earliest: at("2026-01-01T00:01"), catchup: true })).toBe(
      "2026-01-01T00:01:00.000Z",
    );
    const last = lastAt(at("2026-01-01T00:01"));
    expect(logicalDate(fiveMinutes, "2026-01-01T00:02", {}, last)).toBe("2026-01-01T00:06:00.000Z");
  });
  test("intervals: follow each other, and without catchup skip to the newest complete one", () => {
    const hourly: SerializedTimetable = { type: "delta", seconds: 3600, intervals: true };
    const last = lastAt(at("2026-01-01T00:00"), at("2026-01-01T01:00"));
    expect(logicalDate(hourly, "2026-01-01T02:30", { catchup: true }, last)).toBe("2026-01-01T01:00:00.000Z");
    expect(logicalDate(hourly, "2026-01-05T02:30", {}, last)).toBe("2026-01-05T01:00:00.000Z");
  });
});

describe("several crons", () => {
  const crons: SerializedTimetable = {
    type: "crons",
    expressions: ["0 6 * * *", "0 */12 * * *", "0 6 1 * *"],
    timezone: "America/New_York",
  };
  test("are their union, each instant once, over a change of the clocks too", () => {
    const restriction = { earliest: at("2026-03-07T00:00"), latest: null, catchup: true };
    const runs = nextRuns(crons, { last: null, restriction, now: 0 }, 6);
    expect(runs.map((run) => new Date(run.logicalDate).toISOString().slice(5, 16))).toEqual([
      "03-07T05:00",
      "03-07T11:00",
      "03-07T17:00",
      "03-08T05:00",
      "03-08T10:00",
      "03-08T16:00",
    ]);
  });
  test("have the last one due, and no data interval when started by hand", () => {
    const now = at("2026-06-10T13:00");
    expect(logicalDate(crons, "2026-06-10T13:00", { earliest: 0 })).toBe("2026-06-10T10:00:00.000Z");
    expect(manualRunInterval(crons, now)).toEqual({ dataIntervalStart: now, dataIntervalEnd: now });
  });
});

describe("a trigger with an interval", () => {
  const timetable: SerializedTimetable = { ...daily, intervalSec: 3_600 } as SerializedTimetable;
  test("gives its run the time before it; the logical date is the interval's start, as in Airflow", () => {
    const run = nextRun(timetable, { last: null, restriction: { ...open, earliest: 0, catchup: true }, now: 0 });
    expect(run).toEqual(runOver(-3_600_000, 0));
    const second = nextRun(timetable, { last: run, restriction: { ...open, earliest: 0, catchup: true }, now: 0 });
    expect(second?.runAfter).toBe(at("1970-01-02T00:00"));
    expect(manualRunInterval(timetable, at("2026-01-01T12:00")).dataIntervalStart).toBe(at("2026-01-01T11:00"));
  });
});

test("runImmediately decides whether a new DAG without a start date runs for the instant just past", () => {
  const past = "2026-03-01T00:00:00.000Z";
  const next = "2026-03-02T00:00:00.000Z";
  const first = (runImmediately: boolean | number, now: string) =>
    logicalDate({ ...daily, runImmediately } as SerializedTimetable, now);
  expect(first(true, "2026-03-01T23:00")).toBe(past);
  expect(first(false, "2026-03-01T00:01")).toBe(next);
  expect(first(3_600, "2026-03-01T01:00")).toBe(past);
  expect(first(3_600, "2026-03-01T01:01")).toBe(next);
});

describe("events", () => {
  const dates = ["2026-01-01T09:00:00Z", "2026-02-01T09:00:00Z", "2026-03-01T09:00:00Z"];
  const events: SerializedTimetable = { type: "events", dates, restrictToEvents: true, description: null };
  const iso = (index: number) => new Date(dates[index] ?? "").toISOString();
  const first = at("2026-01-01T09:00");
  test("with catchup each in turn, then none", () => {
    const runs = nextRuns(events, { last: null, restriction: { ...open, catchup: true }, now: at("2026-06-01T00:00") }, 9);
    expect(runs).toEqual(dates.map((date) => runAt(Date.parse(date))));
  });
  test("without catchup past ones do not run, nor more than the latest one that came meanwhile", () => {
    expect(logicalDate(events, "2026-01-15T00:00")).toBe(iso(1));
    expect(logicalDate(events, "2026-06-01T00:00")).toBeNull();
    expect(logicalDate(events, "2026-06-01T00:00", {}, lastAt(first))).toBe(iso(2));
  });
  test("start and end date hold", () => {
    const bounds = { earliest: at("2026-01-02T00:00"), latest: at("2026-02-02T00:00"), catchup: true };
    expect(nextRuns(events, { last: null, restriction: bounds, now: 0 }, 9)).toEqual([runAt(at("2026-02-01T09:00"))]);
  });
  test("restricted to events, a run by hand is for the newest event, or for the first", () => {
    const interval = (now: string, restrictToEvents = true) =>
      manualRunInterval({ ...events, restrictToEvents } as SerializedTimetable, at(now)).dataIntervalStart;
    expect(interval("2026-02-20T00:00")).toBe(at("2026-02-01T09:00"));
    expect(interval("2020-01-01T00:00")).toBe(first);
    expect(interval("2026-02-20T00:00", false)).toBe(at("2026-02-20T00:00"));
  });
});

describe("a custom timetable", () => {
  const custom: SerializedTimetable = { type: "custom", name: "Tides", description: null };
  const planned = [runOver(100, 200), runOver(200, 320), runOver(320, 410)];
  test("takes its runs from the plan, with catchup each, without the latest due", () => {
    const next = (catchup: boolean, last: LastRun | null, now: number) =>
      nextRun(custom, { last, restriction: { ...open, catchup }, now, planned });
    expect(next(true, null, 1_000)).toEqual(planned[0]);
    expect(next(true, planned[0] ?? null, 1_000)).toEqual(planned[1]);
    expect(next(false, null, 350)).toEqual(planned[1]);
    expect(next(false, null, 50)).toEqual(planned[0]);
    expect(next(false, planned[2] ?? null, 1_000)).toBeNull();
  });
  test("has no next run without a plan", () => {
    expect(nextRun(custom, { last: null, restriction: open, now: 0 })).toBeNull();
  });
  test("gives a run by hand what it said, else the newest interval, else the instant", () => {
    const dataIntervalStart = 1;
    const said = { dataIntervalStart, dataIntervalEnd: 2 };
    const row = { dataIntervalStart: 100, dataIntervalEnd: 200 };
    expect(manualRunInterval(custom, 300, { ...row, manualInterval: said })).toEqual(said);
    expect(manualRunInterval(custom, 300, { ...row, manualInterval: null })).toEqual(row);
    expect(manualRunInterval(custom, 300)).toEqual({ dataIntervalStart: 300, dataIntervalEnd: 300 });
  });
});

describe("dueRun", () => {
  const waiting = runAt(at("2026-01-01T00:00"));
  const now = at("2026-01-05T12:00");
  test("without catchup passes over all but the latest run that is due", () => {
    expect(dueRun(daily, waiting, { restriction: open, now })).toEqual(runAt(at("2026-01-05T00:00")));
    expect(dueRun(dailyIntervals, waiting, { restriction: open, now }).logicalDate).toBe(at("2026-01-04T00:00"));
  });
  test("is the one that waits with catchup, when no other is due, when the schedule has ended, and for @once", () => {
    expect(dueRun(daily, waiting, { restriction: { ...open, catchup: true }, now })).toEqual(waiting);
    expect(dueRun(daily, waiting, { restriction: open, now: waiting.runAfter + 1 })).toEqual(waiting);
    expect(dueRun(daily, waiting, { restriction: { ...open, latest: waiting.logicalDate }, now })).toEqual(waiting);
    expect(dueRun({ type: "once" }, waiting, { restriction: open, now })).toEqual(waiting);
    expect(dueRun({ type: "continuous" }, waiting, { restriction: open, now })).toEqual(waiting);
  });
});

test("a schedule ends with the year 9999, and to look that far takes no time", () => {
  const restriction = { earliest: Date.UTC(9999, 11, 1), latest: null, catchup: true };
  const startedMs = performance.now();
  const leapDays: SerializedTimetable = { ...daily, expression: "0 0 29 2 *" } as SerializedTimetable;
  expect(nextRun(leapDays, { last: null, restriction, now: 0 })).toBeNull();
  expect(nextRuns(dailyIntervals, { last: null, restriction, now: 0 }, 100)).toHaveLength(30);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});

describe("schedules without a period", () => {
  test("null never runs, even with a last run", () => {
    expect(logicalDate({ type: "null" }, "2026-01-01T00:00", {}, lastAt(0))).toBeNull();
  });
  test("@once runs at the start date or now, and once", () => {
    expect(logicalDate({ type: "once" }, "2026-01-01T00:00", { earliest: at("2025-01-01T00:00") })).toBe(
      "2025-01-01T00:00:00.000Z",
    );
    expect(logicalDate({ type: "once" }, "2026-01-01T00:00")).toBe("2026-01-01T00:00:00.000Z");
    expect(logicalDate({ type: "once" }, "2026-01-01T00:00", {}, lastAt(at("2025-01-01T00:00")))).toBeNull();
    expect(logicalDate({ type: "once" }, "2026-01-01T00:00", { latest: at("2025-01-01T00:00") })).toBeNull();
  });
  test("@continuous follows the last run, and never repeats a logical date", () => {
    const now = at("2026-01-01T00:00");
    const first = nextRun({ type: "continuous" }, { last: null, restriction: open, now });
    expect(first).toEqual({ logicalDate: now, dataIntervalStart: now, dataIntervalEnd: now, runAfter: now });
    const second = nextRun({ type: "continuous" }, { last: first, restriction: open, now: now + 5_000 });
    expect(second).toMatchObject({ logicalDate: now + 1, dataIntervalEnd: now + 5_000 });
    const third = nextRun({ type: "continuous" }, { last: second, restriction: open, now: now + 9_000 });
    expect(third).toMatchObject({ logicalDate: now + 5_000, dataIntervalEnd: now + 9_000 });
  });
});

test("nextRuns stops where the schedule ends", () => {
  const restriction = { earliest: at("2026-01-01T00:00"), latest: at("2026-01-03T00:00"), catchup: true };
  expect(nextRuns(daily, { last: null, restriction, now: 0 }, 10).map((run) => run.logicalDate)).toEqual([
    at("2026-01-01T00:00"),
    at("2026-01-02T00:00"),
    at("2026-01-03T00:00"),
  ]);
});

const zones = fc.constantFrom("UTC", "America/New_York", "Europe/Zurich", "Australia/Sydney", "Australia/Lord_Howe");
const expressions = fc.constantFrom("30 2 * * *", "*/15 * * * *", "0 */6 * * *", "0 0 1 * *", "45 1 * * 0", "0 * * * *");
const periodic: fc.Arbitrary<SerializedTimetable> = fc.oneof(
  fc.record({ type: fc.constant("cron" as const), expression: expressions, timezone: zones, intervals: fc.boolean() }),
  fc.record({
    type: fc.constant("crons" as const),
    expressions: fc.array(expressions, { minLength: 1, maxLength: 3 }),
    timezone: zones,
  }),
  fc.record({ type: fc.constant("delta" as const), seconds: fc.integer({ min: 1, max: 1_000_000 }), intervals: fc.boolean() }),
);
const instants = fc.integer({ min: at("2020-01-01T00:00"), max: at("2030-01-01T00:00") });

test("any schedule: strictly increasing, intervals follow without overlap, never before the earliest", () => {
  fc.assert(
    fc.property(periodic, instants, instants, fc.boolean(), (timetable, earliest, now, catchup) => {
      const runs = nextRuns(timetable, { last: null, restriction: { earliest, latest: null, catchup }, now }, 8);
      expect(runs).toHaveLength(8);
      for (const [i, run] of runs.entries()) {
        expect(run.logicalDate).toBeGreaterThanOrEqual(earliest);
        const previous = runs[i - 1];
        if (!previous) continue;
        expect(run.logicalDate).toBeGreaterThan(previous.logicalDate);
        expect(run.dataIntervalStart).toBeGreaterThanOrEqual(previous.dataIntervalEnd);
        if ("intervals" in timetable && timetable.intervals) expect(run.dataIntervalEnd).toBeGreaterThan(run.dataIntervalStart);
      }
    }),
    { numRuns: 200 },
  );
});

test("any schedule without catchup: after the first due run, the next one is not due yet", () => {
  fc.assert(
    fc.property(periodic, instants, instants, (timetable, earliest, now) => {
      const query = { restriction: { earliest, latest: null, catchup: false }, now };
      // Delta intervals are aligned only to the start date, so Airflow allows one more complete interval after the first run.
      const allowed = timetable.type === "delta" && timetable.intervals ? 2 : 1;
      const due = nextRuns(timetable, { ...query, last: null }, 4).filter((run) => run.runAfter <= now);
      expect(due.length).toBeLessThanOrEqual(allowed);
    }),
    { numRuns: 300 },
  );
});
