import { expect, test } from "vitest";
import { describe as describeTimetable, manualRunInterval, nextRun, restrictionOf, runIdFor } from "./index.ts";

const at = (iso: string) => new Date(`${iso}Z`);

test("run ids are Airflow's", () => {
  expect(runIdFor("scheduled", at("2026-01-01T00:00"))).toBe("scheduled__2026-01-01T00:00:00+00:00");
  expect(runIdFor("manual", at("2026-01-01T00:00:01.250"))).toBe("manual__2026-01-01T00:00:01.250000+00:00");
  expect(runIdFor("manual", at("2026-01-01T00:00"), "x7Kq")).toBe("manual__2026-01-01T00:00:00+00:00_x7Kq");
});

test("a manual run of an interval schedule covers the last complete interval, others nothing", () => {
  const cron = { type: "cron", expression: "@daily", timezone: "UTC" } as const;
  const logicalDate = at("2026-01-25T01:00");
  expect(manualRunInterval({ ...cron, intervals: true }, logicalDate)).toEqual({
    dataIntervalStart: at("2026-01-24T00:00"),
    dataIntervalEnd: at("2026-01-25T00:00"),
  });
  expect(manualRunInterval({ type: "delta", seconds: 3600, intervals: true }, logicalDate)).toEqual({
    dataIntervalStart: at("2026-01-25T00:00"),
    dataIntervalEnd: logicalDate,
  });
  for (const timetable of [{ ...cron, intervals: false }, { type: "null" } as const]) {
    expect(manualRunInterval(timetable, logicalDate)).toEqual({ dataIntervalStart: logicalDate, dataIntervalEnd: logicalDate });
  }
});

test("bounds: the earliest start of DAG and tasks; task ends only where every task has one", () => {
  const dag = { startDate: "2026-02-01", endDate: null, catchup: true, timezone: "Europe/Zurich" };
  const task = (startDate: string | null, endDate: string | null) => ({ startDate, endDate });
  expect(restrictionOf(dag)).toEqual({ earliest: at("2026-01-31T23:00"), latest: null, catchup: true });
  expect(restrictionOf({ ...dag, tasks: [task("2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z"), task(null, null)] })).toEqual({
    earliest: at("2026-01-01T00:00"),
    latest: null,
    catchup: true,
  });
  expect(restrictionOf({ ...dag, tasks: [task(null, "2026-05-01T00:00:00Z")] }).latest).toEqual(at("2026-05-01T00:00"));
  expect(() => restrictionOf({ ...dag, startDate: "soon" })).toThrow('"soon" is not an ISO 8601 instant');
});

test("schedules in words", () => {
  expect(describeTimetable({ type: "delta", seconds: 300, intervals: false })).toBe("Every 5 minutes");
  expect(describeTimetable({ type: "delta", seconds: 86_400, intervals: true })).toBe("Every day");
  expect(describeTimetable({ type: "delta", seconds: 90, intervals: true })).toBe("Every 90 seconds");
  expect(describeTimetable({ type: "cron", expression: "@daily", timezone: "UTC", intervals: false })).toBe(
    'Cron "0 0 * * *" in UTC',
  );
  expect(describeTimetable({ type: "null" })).toBe("Never, external triggers only");
});

test("callers pass and get dates", () => {
  const restriction = { earliest: at("2026-01-01T05:00"), latest: null, catchup: true };
  const daily = { type: "cron", expression: "@daily", timezone: "UTC", intervals: false } as const;
  const first = nextRun(daily, { last: null, restriction, now: at("2026-02-01T00:00") });
  expect(first?.logicalDate).toEqual(at("2026-01-02T00:00"));
  expect(nextRun(daily, { last: first, restriction, now: at("2026-02-01T00:00") })?.runAfter).toEqual(at("2026-01-03T00:00"));
});
