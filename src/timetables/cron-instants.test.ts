import fc from "fast-check";
import { DateTime } from "luxon";
import { describe, expect, test } from "vitest";
import { compileCron } from "./cron-expression.ts";
import { cronPeriod } from "./cron-instants.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Local times with offset, starting at a local time. */
function walk(expression: string, timezone: string, from: string, count: number): string[] {
  const period = cronPeriod(expression, timezone);
  let instant = DateTime.fromISO(from, { zone: timezone }).toMillis() - 1;
  return Array.from({ length: count }, () => {
    instant = period.next(instant);
    return DateTime.fromMillis(instant, { zone: timezone }).toFormat("dd HH:mm ZZ");
  });
}

describe("New York, clocks forward on 2026-03-08 at 02:00", () => {
  const zone = "America/New_York";
  test("02:30 daily runs at 03:30 on the day without 02:30", () => {
    expect(walk("30 2 * * *", zone, "2026-03-07", 3)).toEqual(["07 02:30 -05:00", "08 03:30 -04:00", "09 02:30 -04:00"]);
  });
  test("*/15 keeps its distance of 15 real minutes", () => {
    expect(walk("*/15 * * * *", zone, "2026-03-08T01:30", 4)).toEqual([
      "08 01:30 -05:00",
      "08 01:45 -05:00",
      "08 03:00 -04:00",
      "08 03:15 -04:00",
    ]);
  });
  test("two times of day on one instant are one run", () => {
    expect(walk("0 2,3 * * *", zone, "2026-03-08", 3)).toEqual(["08 03:00 -04:00", "09 02:00 -04:00", "09 03:00 -04:00"]);
  });
  test("times shifted over the gap stay in order with those behind it", () => {
    expect(walk("15,45 2,3 * * *", zone, "2026-03-08", 3)).toEqual(["08 03:15 -04:00", "08 03:45 -04:00", "09 02:15 -04:00"]);
  });
});

describe("New York, clocks back on 2026-11-01 at 02:00", () => {
  const zone = "America/New_York";
  test("01:30 daily runs once, the second time the clock reads it", () => {
    expect(walk("30 1 * * *", zone, "2026-10-31", 3)).toEqual(["31 01:30 -04:00", "01 01:30 -05:00", "02 01:30 -05:00"]);
  });
  test("hourly runs in both passes of the repeated hour", () => {
    expect(walk("0 * * * *", zone, "2026-11-01", 4)).toEqual([
      "01 00:00 -04:00",
      "01 01:00 -04:00",
      "01 01:00 -05:00",
      "01 02:00 -05:00",
    ]);
  });
  test("0 7,9 is untouched by the change", () => {
    expect(walk("0 7,9 * * *", zone, "2026-11-01", 2)).toEqual(["01 07:00 -05:00", "01 09:00 -05:00"]);
  });
});

test("Zurich: 02:30 daily over both changes", () => {
  expect(walk("30 2 * * *", "Europe/Zurich", "2026-03-28", 3)).toEqual(["28 02:30 +01:00", "29 03:30 +02:00", "30 02:30 +02:00"]);
  expect(walk("30 2 * * *", "Europe/Zurich", "2026-10-24", 3)).toEqual(["24 02:30 +02:00", "25 02:30 +01:00", "26 02:30 +01:00"]);
});

test("Sydney changes in the other half of the year", () => {
  expect(walk("30 2 * * *", "Australia/Sydney", "2026-10-03", 3)).toEqual([
    "03 02:30 +10:00",
    "04 03:30 +11:00",
    "05 02:30 +11:00",
  ]);
  expect(walk("30 2 * * *", "Australia/Sydney", "2026-04-04", 3)).toEqual([
    "04 02:30 +11:00",
    "05 02:30 +10:00",
    "06 02:30 +10:00",
  ]);
});

test("Lord Howe shifts by half an hour", () => {
  const zone = "Australia/Lord_Howe";
  expect(walk("15 2 * * *", zone, "2026-10-03", 3)).toEqual(["03 02:15 +10:30", "04 02:45 +11:00", "05 02:15 +11:00"]);
  expect(walk("45 1 * * *", zone, "2026-04-04", 3)).toEqual(["04 01:45 +11:00", "05 01:45 +10:30", "06 01:45 +10:30"]);
  expect(walk("*/15 * * * *", zone, "2026-10-04T01:45", 3)).toEqual(["04 01:45 +10:30", "04 02:30 +11:00", "04 02:45 +11:00"]);
  expect(walk("0 * * * *", zone, "2026-04-05T01:00", 3)).toEqual(["05 01:00 +11:00", "05 02:00 +10:30", "05 03:00 +10:30"]);
});

test("Apia skipped 2011-12-30 whole: its midnight and the next are one", () => {
  expect(walk("0 0 * * *", "Pacific/Apia", "2011-12-29", 3)).toEqual(["29 00:00 -10:00", "31 00:00 +14:00", "01 00:00 +14:00"]);
});

test("leap days and month ends", () => {
  const days = (expression: string, from: string, count: number) => {
    const period = cronPeriod(expression, "UTC");
    let instant = Date.parse(from) - 1;
    return Array.from({ length: count }, () => {
      instant = period.next(instant);
      return new Date(instant).toISOString().slice(0, 10);
    });
  };
  expect(days("0 0 29 2 *", "2096-01-01", 2)).toEqual(["2096-02-29", "2104-02-29"]);
  expect(days("0 0 31 * *", "2026-01-01", 3)).toEqual(["2026-01-31", "2026-03-31", "2026-05-31"]);
  expect(days("0 0 L 2 *", "2027-01-01", 2)).toEqual(["2027-02-28", "2028-02-29"]);
});

const ZONES = [
  "America/New_York",
  "Europe/Zurich",
  "Australia/Sydney",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kolkata",
  "UTC",
];
const EXPRESSIONS = [
  "30 2 * * *",
  "*/15 * * * *",
  "0 * * * *",
  "0 */2 * * *",
  "15,45 1-3 * * *",
  "0 0 * * *",
  "0 7,9 * * 0",
  "*/7 2 * * *",
];
/** All clock changes of the zones above are within these days. */
const CHANGES = ["2026-02-15", "2026-03-08", "2026-03-22", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"];

/** The policy of cron-instants.ts by brute force: checks every minute. */
function bruteForce(expression: string, timezone: string, from: number, to: number): number[] {
  const cron = compileCron(expression);
  const walls = new Set<number>();
  for (let wall = cron.next(from - DAY - 1); wall <= to + DAY; wall = cron.next(wall)) walls.add(wall);
  const offset = (instant: number) => DateTime.fromMillis(instant, { zone: timezone }).offset * MINUTE;
  const found = new Set<number>();
  if (cron.coversEveryHour) {
    for (let at = from; at <= to; at += MINUTE) if (walls.has(at + offset(at))) found.add(at);
    return [...found].sort((a, b) => a - b);
  }
  for (const wall of walls) {
    const before = offset(wall - DAY);
    const candidates = [before, offset(wall + DAY)].map((shift) => wall - shift).filter((at) => at + offset(at) === wall);
    const at = candidates.length > 0 ? Math.max(...candidates) : wall - before;
    if (at >= from && at <= to) found.add(at);
  }
  return [...found].sort((a, b) => a - b);
}

describe.each(ZONES)("%s", (zone) => {
  test.each(CHANGES)("around %s, both directions walk the set that brute force finds", (day) => {
    const [from, to] = [Date.parse(day) - DAY, Date.parse(day) + 2 * DAY];
    for (const expression of EXPRESSIONS) {
      const period = cronPeriod(expression, zone);
      const expected = bruteForce(expression, zone, from, to);
      const forwards: number[] = [];
      for (let at = period.next(from - 1); at <= to; at = period.next(at)) forwards.push(at);
      const backwards: number[] = [];
      for (let at = period.previous(to + 1); at >= from; at = period.previous(at)) backwards.unshift(at);
      expect([expression, forwards]).toEqual([expression, expected]);
      expect([expression, backwards]).toEqual([expression, expected]);
    }
  });
});

test("whatever the instant, next and previous are strict, inverse, and aligned to themselves", () => {
  const instants = fc.integer({ min: Date.parse("1975-01-01"), max: Date.parse("2060-01-01") });
  fc.assert(
    fc.property(instants, fc.constantFrom(...ZONES), fc.constantFrom(...EXPRESSIONS), (instant, zone, expression) => {
      const period = cronPeriod(expression, zone);
      const next = period.next(instant);
      expect(next).toBeGreaterThan(instant);
      expect(period.previous(next)).toBeLessThanOrEqual(instant);
      expect(period.next(period.previous(next))).toBe(next);
      expect(period.alignToNext(next)).toBe(next);
      expect(period.alignToPrevious(next)).toBe(next);
    }),
    { numRuns: 300 },
  );
});
