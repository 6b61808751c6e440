import { DateTime, IANAZone } from "luxon";
import { INSTANT_RULE, isInstantInBounds } from "../../contracts/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";

/** An ISO 8601 text (`"2024-01-01"`, `"2024-01-01T09:00"`, `"2024-01-01T09:00:00Z"`, `"…+09:00"`) or a `Date`. */
export type InstantInput = string | Date;

/**
 * An instant as ISO 8601 in UTC. A text without an offset is local time in `timezone`; a time that a DST change skips is moved
 * forward by the length of the gap.
 * @throws DagDefinitionError INVALID_INSTANT, naming `option`.
 */
export function instantToIso(option: string, input: InstantInput, timezone: string): string {
  // A number could be a year, a day, seconds or milliseconds: no guess is right.
  const instant =
    input instanceof Date
      ? DateTime.fromJSDate(input)
      : typeof input === "string"
        ? DateTime.fromISO(input, { zone: timezone })
        : DateTime.invalid("not a text", "neither a text nor a Date");
  const iso = instant.isValid ? instant.toUTC().toISO({ suppressMilliseconds: true }) : null;
  if (iso !== null && isInstantInBounds(instant.toMillis())) return iso;
  if (iso !== null) {
    throw new DagDefinitionError(
      "INVALID_INSTANT",
      `${option}: ${iso} is out of bounds: ${INSTANT_RULE}. Write a date within them`,
      {
        option,
        input,
      },
    );
  }
  throw new DagDefinitionError(
    "INVALID_INSTANT",
    `${option}: ${showValue(input)} is not an instant (${explain(instant.invalidExplanation)}): write ISO 8601, such as "2024-01-01" or "2024-01-01T09:00:00+09:00"`,
    { option, input },
  );
}

/** Luxon's explanation quotes the whole input. */
function explain(reason: string | null): string {
  if (reason === null) return "invalid";
  return reason.length > 200 ? `${reason.slice(0, 200)}…` : reason;
}

/** @throws DagDefinitionError INVALID_TIMEZONE unless `timezone` is an IANA zone such as "Asia/Seoul". */
export function checkTimezone(option: string, timezone: unknown): asserts timezone is string {
  if (typeof timezone === "string" && IANAZone.isValidZone(timezone)) return;
  throw new DagDefinitionError(
    "INVALID_TIMEZONE",
    `${option}: ${showValue(timezone)} is not a time zone: use an IANA name such as "UTC" or "Asia/Seoul"`,
    { option, timezone },
  );
}
