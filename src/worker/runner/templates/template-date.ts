import type { DateTime } from "luxon";
import { isoWithOffset, strftime } from "./format-date.ts";
import { callable } from "./template-function.ts";
import { describe, toNumber, toPlainText } from "./template-values.ts";

/** A date as templates see it: pendulum's most used properties and methods, all own, so that nothing else is in reach. */
export type TemplateDate = Readonly<Record<string, unknown>>;

const dates = new WeakMap<object, DateTime>();
const durations = new WeakMap<object, number>();

const AMOUNTS = "years=0, months=0, weeks=0, days=0, hours=0, minutes=0, seconds=0, microseconds=0";
const FIELDS = "year=, month=, day=, hour=, minute=, second=, microsecond=";
const UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"] as const;
const MS = { day: 86_400_000, hour: 3_600_000, minute: 60_000, second: 1_000 };

/** The date behind an object of `toTemplateDate`. */
export function dateOf(value: unknown): DateTime | undefined {
  return typeof value === "object" && value !== null ? dates.get(value) : undefined;
}

/** The milliseconds behind an object of `toTimeDelta`. */
export function durationOf(value: unknown): number | undefined {
  return typeof value === "object" && value !== null ? durations.get(value) : undefined;
}

export function toTemplateDate(date: DateTime): TemplateDate {
  if (!date.isValid) throw new Error("the date is outside of what can be computed");
  const text = callable("", () => isoWithOffset(date));
  const inZoneOf = callable("tz", (zone: unknown) => toTemplateDate(inZone(date, toPlainText(zone))));
  const result: TemplateDate = {
    year: date.year,
    month: date.month,
    day: date.day,
    hour: date.hour,
    minute: date.minute,
    second: date.second,
    microsecond: date.millisecond * 1_000,
    quarter: date.quarter,
    week_of_year: date.weekNumber,
    day_of_week: date.weekday % 7,
    day_of_year: date.ordinal,
    timezone_name: date.zoneName,
    int_timestamp: Math.floor(date.toSeconds()),
    timestamp: callable("", () => date.toSeconds()),
    strftime: callable("format", (format: unknown) => strftime(date, toPlainText(format))),
    isoformat: text,
    to_iso8601_string: text,
    to_date_string: callable("", () => date.toFormat("yyyy-MM-dd")),
    to_datetime_string: callable("", () => date.toFormat("yyyy-MM-dd HH:mm:ss")),
    date: callable("", () => date.toFormat("yyyy-MM-dd")),
    weekday: callable("", () => date.weekday - 1),
    isoweekday: callable("", () => date.weekday),
    isocalendar: callable("", () => [date.weekYear, date.weekNumber, date.weekday]),
    add: callable(AMOUNTS, (...amounts: unknown[]) => toTemplateDate(date.plus(toAmounts(amounts)))),
    subtract: callable(AMOUNTS, (...amounts: unknown[]) => toTemplateDate(date.minus(toAmounts(amounts)))),
    replace: callable(FIELDS, (...fields: unknown[]) => replaceFields(date, fields)),
    start_of: callable("unit", (unit: unknown) => toTemplateDate(date.startOf(toUnit(unit)))),
    end_of: callable("unit", (unit: unknown) => toTemplateDate(date.endOf(toUnit(unit)))),
    in_timezone: inZoneOf,
    in_tz: inZoneOf,
    astimezone: inZoneOf,
    toString: text,
    toJSON: text,
  };
  dates.set(result, date);
  return result;
}

/** Python's `timedelta`. */
export function toTimeDelta(ms: number): TemplateDate {
  if (!(Math.abs(ms) <= 1e15)) throw new Error("the span of time is longer than can be computed");
  const days = Math.floor(ms / MS.day);
  const text = callable("", () => deltaText(ms));
  const result: TemplateDate = {
    days,
    seconds: Math.floor((ms - days * MS.day) / MS.second),
    microseconds: Math.round((ms - Math.floor(ms / MS.second) * MS.second) * 1_000),
    total_seconds: callable("", () => ms / MS.second),
    toString: text,
    toJSON: text,
  };
  durations.set(result, ms);
  return result;
}

export const timedelta = callable(
  "days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0",
  (...amounts: unknown[]) => {
    const [days = 0, seconds = 0, micros = 0, ms = 0, minutes = 0, hours = 0, weeks = 0] = toNumbers(amounts, "timedelta()");
    const whole = (7 * weeks + days) * MS.day + hours * MS.hour + minutes * MS.minute + seconds * MS.second;
    return toTimeDelta(whole + ms + micros / 1_000);
  },
);

/** Python's text of it: "1 day, 2:03:04". */
function deltaText(ms: number): string {
  const days = Math.floor(ms / MS.day);
  const rest = ms - days * MS.day;
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  const micros = Math.round((rest % MS.second) * 1_000);
  const time = `${Math.floor(rest / MS.hour)}:${two((rest % MS.hour) / MS.minute)}:${two((rest % MS.minute) / MS.second)}`;
  const shown = micros === 0 ? time : `${time}.${String(micros).padStart(6, "0")}`;
  return days === 0 ? shown : `${days} day${Math.abs(days) === 1 ? "" : "s"}, ${shown}`;
}

function toNumbers(values: readonly unknown[], use: string): number[] {
  return values.map((value) => (value === undefined ? 0 : toNumber(value, use)));
}

function inZone(date: DateTime, zone: string): DateTime {
  const moved = date.setZone(zone);
  if (!moved.isValid) throw new Error(`${JSON.stringify(zone)} is not a time zone`);
  return moved;
}

function toAmounts(amounts: readonly unknown[]) {
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0, micros = 0] = toNumbers(
    amounts,
    "moving a date",
  );
  return { years, months, weeks, days, hours, minutes, seconds, milliseconds: micros / 1_000 };
}

function replaceFields(date: DateTime, fields: readonly unknown[]): TemplateDate {
  const names = ["year", "month", "day", "hour", "minute", "second", "millisecond"] as const;
  const changes: Partial<Record<(typeof names)[number], number>> = {};
  for (const [at, name] of names.entries()) {
    const field = fields[at];
    if (field === undefined) continue;
    const number = toNumber(field, `replace(${name}=…)`);
    changes[name] = name === "millisecond" ? Math.floor(number / 1_000) : number;
  }
  const replaced = date.set(changes);
  // luxon moves February 31 into the month; Python refuses it.
  const isKept = (name: (typeof names)[number]) =>
    replaced[name] === (changes[name] ?? (["year", "month", "day"].includes(name) ? date[name] : replaced[name]));
  const holds = names.every(isKept);
  if (!replaced.isValid || !holds) throw new Error(`replace(): there is no such date, ${JSON.stringify(changes)}`);
  return toTemplateDate(replaced);
}

function toUnit(unit: unknown): (typeof UNITS)[number] {
  const known = UNITS.find((each) => each === unit);
  if (known === undefined) throw new Error(`a date starts and ends by ${UNITS.join(", ")}, not by ${describe(unit)}`);
  return known;
}
