import type { DateTime, DurationLikeObject } from "luxon";
import { isoWithOffset, strftime } from "./format-date.ts";
import { callables, Keywords } from "./template-function.ts";
import { toPlainText } from "./template-values.ts";

/** A date as templates see it: pendulum's most used properties and methods, all own, so that nothing else is in reach. */
export type TemplateDate = Readonly<Record<string, unknown>>;

const UNITS = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"] as const;

export function toTemplateDate(date: DateTime): TemplateDate {
  const text = () => isoWithOffset(date);
  return callables({
    year: date.year,
    month: date.month,
    day: date.day,
    hour: date.hour,
    minute: date.minute,
    second: date.second,
    day_of_week: date.weekday % 7,
    day_of_year: date.ordinal,
    timezone_name: date.zoneName,
    int_timestamp: Math.floor(date.toSeconds()),
    timestamp: () => date.toSeconds(),
    strftime: (format: unknown) => strftime(date, toPlainText(format)),
    isoformat: text,
    to_iso8601_string: text,
    to_date_string: () => date.toFormat("yyyy-MM-dd"),
    to_datetime_string: () => date.toFormat("yyyy-MM-dd HH:mm:ss"),
    date: () => date.toFormat("yyyy-MM-dd"),
    weekday: () => date.weekday - 1,
    add: (amounts: unknown) => toTemplateDate(date.plus(toAmounts(amounts))),
    subtract: (amounts: unknown) => toTemplateDate(date.minus(toAmounts(amounts))),
    start_of: (unit: unknown) => toTemplateDate(date.startOf(toPlainText(unit) as "day")),
    end_of: (unit: unknown) => toTemplateDate(date.endOf(toPlainText(unit) as "day")),
    in_timezone: (zone: unknown) => toTemplateDate(inZone(date, toPlainText(zone))),
    in_tz: (zone: unknown) => toTemplateDate(inZone(date, toPlainText(zone))),
    astimezone: (zone: unknown) => toTemplateDate(inZone(date, toPlainText(zone))),
    toString: text,
    toJSON: text,
  });
}

function inZone(date: DateTime, zone: string): DateTime {
  const moved = date.setZone(zone);
  if (!moved.isValid) throw new Error(`${JSON.stringify(zone)} is not a time zone`);
  return moved;
}

/** Keyword arguments as in `logical_date.add(days=1)`. */
function toAmounts(given: unknown): DurationLikeObject {
  const amounts: DurationLikeObject = {};
  for (const [unit, amount] of Object.entries(given instanceof Keywords ? given.values : Object(given))) {
    const known = UNITS.find((each) => each === unit);
    if (known === undefined || typeof amount !== "number") {
      throw new Error(`a date is moved by ${UNITS.join(", ")}, as in add(days=1), not by ${unit}`);
    }
    amounts[known] = amount;
  }
  return amounts;
}
