import { DateTime } from "luxon";
import { BaramError } from "../platform/index.ts";

const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** A space for the `T`, one before the offset, and a `+` that a client of HTTP left unescaped, which arrives as a space. */
const TIME =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?) ?(?:(Z)|([+-])?([01]\d|2[0-3])(?::?([0-5]\d))?)?$/i;
/** Offsets that only luxon would take: hours that no zone has. */
const ODD_OFFSET = /[T ].*[+-]\d{2}(:?\d{2})?$/;

/**
 * An instant as a person writes it, in the forms that Airflow takes: `2026-01-31`, `2026-01-31T06:00:00Z`,
 * `2026-01-31 06:00:00+09:00`, offsets with or without a colon, fractions of a second, and what else ISO 8601 has. Without an
 * offset it is local time of `zone`. null for what is none of them, for days that do not exist, and outside the years 1 to 9999.
 */
export function readInstant(text: string, zone: string): Date | null {
  return read(text, zone)?.toJSDate() ?? null;
}

/** As `readInstant`, for text that was checked before, or a `Date`. Throws `instant_invalid`. */
export function instantAt(given: Date | string, zone: string): Date {
  return given instanceof Date ? given : must(given, zone).toJSDate();
}

/** The end of a span whose last instant is given: of a bare date the end of that day in the zone. Throws `instant_invalid`. */
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
