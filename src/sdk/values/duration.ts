import { DURATION_MAX_SEC, DURATION_MAX_TEXT } from "../../contracts/index.ts";
import { findSimilar } from "../../platform/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";

const UNIT_SECONDS = { weeks: 604_800, days: 86_400, hours: 3_600, minutes: 60, seconds: 1, milliseconds: 0.001 } as const;
const UNIT_OF_SUFFIX = {
  w: "weeks",
  d: "days",
  h: "hours",
  m: "minutes",
  s: "seconds",
  ms: "milliseconds",
} as const;

/** `{ hours: 1, minutes: 30 }`; the parts are added and may be fractions. */
export type DurationParts = { readonly [unit in keyof typeof UNIT_SECONDS]?: number };

/**
 * A duration: `"5m"`, `"1h30m"`, `"90s"`, `"500ms"`, `"2d"`, `"1w"`, or an object such as `{ minutes: 5 }`. A bare number is
 * refused, since it does not show whether it means seconds or milliseconds.
 */
export type DurationInput = string | DurationParts;

const REMEDY = 'write a string such as "5m", "1h30m" or "90s", or an object such as { minutes: 5 }';

/**
 * A duration in seconds, 100 years at most.
 * @throws DagDefinitionError INVALID_DURATION, naming `option`.
 */
export function durationToSeconds(option: string, input: DurationInput): number {
  const seconds = typeof input === "string" ? parseText(input) : isParts(input) ? sumParts(input) : undefined;
  if (seconds === undefined || Number.isNaN(seconds) || seconds < 0) {
    const hint = typeof input === "number" ? `; ${input} seconds are "${input}s"` : "";
    throw new DagDefinitionError(
      "INVALID_DURATION",
      `${option}: ${showParts(input) ?? showValue(input)} is not a duration: ${REMEDY}${hint}`,
      {
        option,
        input,
      },
    );
  }
  if (seconds > DURATION_MAX_SEC) {
    const shown = typeof input === "string" ? showValue(input) : JSON.stringify(input);
    throw new DagDefinitionError(
      "INVALID_DURATION",
      `${option}: ${shown} is longer than ${DURATION_MAX_TEXT}, the longest duration there is. Write a shorter one, or leave the option out`,
      { option, input, maxSec: DURATION_MAX_SEC },
    );
  }
  return Math.round(seconds * 1e6) / 1e6;
}

/** What is wrong in an object is one of its names or amounts, so it is shown whole. */
function showParts(input: unknown): string | undefined {
  if (typeof input !== "object" || input === null || Object.getPrototypeOf(input) !== Object.prototype) return undefined;
  const shown = Object.entries(input).map(([unit, amount]) => {
    const known = Object.keys(UNIT_SECONDS);
    const similar = known.includes(unit) ? undefined : findSimilar(unit, known);
    return `${unit}: ${showValue(amount)}${similar === undefined ? "" : ` (did you mean "${similar}"?)`}`;
  });
  const text = shown.join(", ");
  return text === "" ? "{}" : `{ ${text.length > 120 ? `${text.slice(0, 120)}…` : text} }`;
}

/** Whether a text reads as a duration, to tell `"30m"` from a cron expression. */
export function isDurationText(text: string): boolean {
  return parseText(text) !== undefined;
}

function parseText(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*(ms|w|d|h|m|s)\s*/gy)];
  const matchedLength = parts.reduce((length, part) => length + part[0].length, 0);
  if (parts.length === 0 || matchedLength !== text.trim().length) return undefined;
  return parts.reduce((sum, part) => {
    const unit = UNIT_OF_SUFFIX[part[2] as keyof typeof UNIT_OF_SUFFIX];
    return sum + Number(part[1]) * UNIT_SECONDS[unit];
  }, 0);
}

function isParts(input: unknown): input is DurationParts {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return false;
  const entries = Object.entries(input);
  return entries.length > 0 && entries.every(([unit, amount]) => Object.hasOwn(UNIT_SECONDS, unit) && typeof amount === "number");
}

function sumParts(parts: DurationParts): number {
  let sum = 0;
  for (const [unit, amount] of Object.entries(parts)) sum += amount * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  return sum;
}
