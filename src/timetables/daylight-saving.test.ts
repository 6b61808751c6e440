// The policy of ADR 0015, compared with a second model that shares no code with the first: it gets the wall clock of every minute
// from Intl, and matches the expression's fields itself.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cronPeriod } from "./cron-instants.ts";
import { nextRuns } from "./next-run.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

type Wall = { key: number; minute: number; hour: number; day: number; month: number; weekday: number };

const formats = new Map<string, Intl.DateTimeFormat>();
function wallAt(zone: string, instant: number): Wall {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
    formats.set(zone, format);
  }
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = format.format(instant).match(/\d+/g)?.map(Number) ?? [];
  return wallOf(Date.UTC(year, month - 1, day, hour, minute));
}

function wallOf(key: number): Wall {
  const date = new Date(key);
  return {
    key,
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
  };
}

function parseField(text: string, least: number, most: number): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [from, to] = range === "*" ? [least, most] : range.split("-").map(Number);
    const end = to ?? (part.includes("/") ? most : from);
    for (let value = from ?? least; value <= (end ?? most); value += Number(step)) values.add(value);
  }
  return values;
}

function parseCron(expression: string) {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ");
  const sets = {
    minutes: parseField(minute, 0, 59),
    hours: parseField(hour, 0, 23),
    days: parseField(day, 1, 31),
    months: parseField(month, 1, 12),
    weekdays: parseField(weekday.replace("7", "0"), 0, 6),
  };
  const isDay = (wall: Wall) => {
    const [byDay, byWeekday] = [sets.days.has(wall.day), sets.weekdays.has(wall.weekday)];
    // Cron's old rule: if both day fields are restricted, one match is enough.
    return day !== "*" && weekday !== "*" ? byDay || byWeekday : byDay && byWeekday;
  };
  return {
    isRhythm: sets.hours.size === 24,
    matches: (wall: Wall) =>
      sets.minutes.has(wall.minute) && sets.hours.has(wall.hour) && sets.months.has(wall.month) && isDay(wall),
  };
}

const windows = new Map<string, { at: number; wall: Wall }[]>();
/** The wall clock of the zone at every minute from two days before to two days after. */
function readClock(zone: string, from: number, to: number): { at: number; wall: Wall }[] {
  const name = `${zone} ${from} ${to}`;
  let minutes = windows.get(name);
  if (!minutes) {
    minutes = [];
    for (let at = from - 2 * DAY; at <= to + 2 * DAY; at += MINUTE) minutes.push({ at, wall: wallAt(zone, at) });
    windows.set(name, minutes);
  }
  return minutes;
}

function slowModel(expression: string, zone: string, from: number, to: number): number[] {
  const { isRhythm, matches } = parseCron(expression);
  const clock = readClock(zone, from, to);
  const found = new Map<number, number>();
  clock.forEach(({ at, wall }, index) => {
    // With an open hour field every matching minute counts; a time of day counts only at its last occurrence.
    if (matches(wall)) found.set(isRhythm ? at : wall.key, at);
    const before = clock[index - 1];
    if (isRhythm || !before) return;
    for (let skipped = before.wall.key + MINUTE; skipped < wall.key; skipped += MINUTE) {
      if (matches(wallOf(skipped))) found.set(skipped, at + (skipped - before.wall.key - MINUTE));
    }
  });
  return [...new Set(found.values())].filter((at) => at >= from && at <= to).sort((a, b) => a - b);
}

function fastModel(expression: string, zone: string, from: number, to: number) {
  const period = cronPeriod(expression, zone);
  const forwards: number[] = [];
  for (let at = period.next(from - 1); at <= to; at = period.next(at)) forwards.push(at);
  const backwards: number[] = [];
  for (let at = period.previous(to + 1); at >= from; at = period.previous(at)) backwards.unshift(at);
  return { forwards, backwards };
}

const EXPRESSIONS = [
  "* * * * *",
  "*/15 * * * *",
  "7-59/20 * * * *",
  "0 * * * *",
  "30 * * * *",
  "0 */2 * * *",
  "0 */6 * * *",
  "30 2 * * *",
  "15 2 * * *",
  "30 1 * * *",
  "0 0 * * *",
  "0 7,9 * * *",
  "*/10 1-3 * * *",
  "30 2 * * 0",
  "0 2 * * 0,6",
  "30 1 1 * *",
  "0 2 1,8,29 * *",
  "30 2 1 * 0",
  "0 0 1 * *",
  "0 0 1 1 *",
];

const CHANGES: [zone: string, day: string, what: string][] = [
  ["America/New_York", "2026-03-08", "forward"],
  ["America/New_York", "2026-11-01", "back"],
  ["Europe/Zurich", "2026-03-29", "forward"],
  ["Europe/Zurich", "2026-10-25", "back"],
  ["Australia/Sydney", "2026-10-04", "forward"],
  ["Australia/Sydney", "2026-04-05", "back"],
  ["Australia/Lord_Howe", "2026-10-04", "forward by 30 minutes"],
  ["Australia/Lord_Howe", "2026-04-05", "back by 30 minutes"],
  ["Pacific/Apia", "2011-12-30", "a day skipped whole"],
  ["Europe/Istanbul", "2016-03-27", "the last change before daylight saving was abolished"],
  ["Europe/Moscow", "2014-10-26", "a zone that moved its standard time"],
  ["America/Sao_Paulo", "2018-11-04", "a change at midnight"],
];

describe.each(CHANGES)("%s %s: %s", (zone, day) => {
  const [from, to] = [Date.parse(day) - DAY, Date.parse(day) + 2 * DAY];

  test("every instant of the policy, none else, each once, in both directions", () => {
    for (const expression of EXPRESSIONS) {
      const expected = slowModel(expression, zone, from, to);
      const { forwards, backwards } = fastModel(expression, zone, from, to);
      expect([expression, forwards]).toEqual([expression, expected]);
      expect([expression, backwards]).toEqual([expression, expected]);
    }
  });

  test("data intervals follow each other without gap or overlap, and none is empty", () => {
    for (const expression of EXPRESSIONS) {
      const timetable = { type: "cron" as const, expression, timezone: zone, intervals: true };
      const restriction = { earliest: from, latest: to, catchup: true };
      const runs = nextRuns(timetable, { last: null, restriction, now: to }, 10_000);
      const wrong = runs.filter(
        (run, at) =>
          run.dataIntervalEnd <= run.dataIntervalStart || (at > 0 && run.dataIntervalStart !== runs[at - 1]?.dataIntervalEnd),
      );
      expect([expression, wrong]).toEqual([expression, []]);
    }
  });
});

const field = (least: number, most: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant("*") },
    fc.integer({ min: least, max: most }).map(String),
    fc.integer({ min: 2, max: most }).map((step) => `*/${step}`),
    fc
      .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 2, maxLength: 3 }).map((list) => list.join(",")),
  );
const expressions = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    fc.constantFrom("*", "*", "*", "1", "*/2", "15-31"),
    fc.constantFrom("*", "*", "3,4,10,11"),
    field(0, 6),
  )
  .map((fields) => fields.join(" "));
const places = fc.oneof(
  fc.constantFrom(...CHANGES).map(([zone, day]): [string, number] => [zone, Date.parse(day)]),
  fc.tuple(
    fc.constantFrom(
      "UTC",
      "Asia/Kolkata",
      "Asia/Kathmandu",
      "Africa/Casablanca",
      "America/St_Johns",
      "Europe/Dublin",
      "Asia/Gaza",
    ),
    fc.integer({ min: 1_971 * 12, max: 2_036 * 12 }).map((month) => Date.UTC(Math.floor(month / 12), month % 12, 1)),
  ),
);

test("random expressions, zones and days: both models name the same instants", () => {
  fc.assert(
    fc.property(expressions, places, (expression, [zone, day]) => {
      const [from, to] = [day - DAY / 2, day + DAY];
      const expected = slowModel(expression, zone, from, to);
      const { forwards, backwards } = fastModel(expression, zone, from, to);
      expect(forwards).toEqual(expected);
      expect(backwards).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
