import { DateTime } from "luxon";
import { BaramError } from "../platform/index.ts";

const DATE = /^\d{4}-\d{2}-\d{2}$/;
/**
 * Accepts a space instead of the `T`, a space before the offset, and a `+` that an HTTP client did not escape, which arrives as a
 * space.
 */
const TIME =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?) ?(?:(Z)|([+-])?([01]\d|2[0-3])(?::?([0-5]\d))?)?$/i;
/** Offsets with hours that no time zone has; luxon would accept them. */
const ODD_OFFSET = /[T ].*[+-]\d{2}(:?\d{2})?$/;

/**
 * Parses an instant in the forms that Airflow accepts: `2026-01-31`, `2026-01-31T06:00:00Z`, `2026-01-31 06:00:00+09:00`, offsets
 * with or without a colon, fractions of a second, and other ISO 8601 forms. Without an offset it is local time of `zone`. null
 * for other text, for days that do not exist, and outside the years 1 to 9999.
 */
export function readInstant(text: string, zone: string): Date | null {
  return read(text, zone)?.toJSDate() ?? null;
}

/** Like `readInstant`, for text that was validated before, or a `Date`. Throws `instant_invalid`. */
export function instantAt(given: Date | string, zone: string): Date {
  return given instanceof Date ? given : must(given, zone).toJSDate();
}

/**
 * The end of a period of which the last instant is given: for a date without a time, the end of that day in the zone. Throws
 * `instant_invalid`.
 */
export function endOfSpanAt(given: Date | string, zone: string): Date {
  if (given instanceof Date) return given;
  const last = must(given, zone);
  return (DATE.test(given.trim()) ? last.endOf("day") : last).toJSDate();
}

function must(text: string, zone: string): DateTime {
  const found = read(text, zone);
  if (found) return found;
  throw new BaramError(
    "instant_invalid",
    `"${text.slice(0, 60)}" is not a date or time like 2026-01-31, 2026-01-31T06:00:00Z or 2026-01-31 06:00:00+09:00.`,
    { text },
  );
}

function read(text: string, zone: string): DateTime | null {
  const found = DateTime.fromISO(toIso(text.trim()), { zone });
  const { year } = found.toUTC();
  return found.isValid && year >= 1 && year <= 9_999 ? found : null;
}

function toIso(text: string): string {
  const parts = TIME.exec(text);
  if (!parts) return ODD_OFFSET.test(text) ? "" : text;
  const [, date, time, utc, sign = "+", hours, minutes = "00"] = parts;
  const offset = utc ? "Z" : hours ? `${sign}${hours}:${minutes}` : "";
  return `${date}T${time}${offset}`;
}
