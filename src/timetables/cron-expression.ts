import { CronExpressionParser } from "cron-parser";
import { DURATION_MAX_SEC, DURATION_MAX_TEXT, type SerializedTimetable } from "../contracts/index.ts";
import { BaramError, toError } from "../platform/index.ts";
import { findZone } from "./zone-segments.ts";

const MAX_LENGTH = 200;

/** Airflow's presets, and croniter's two aliases. */
const PRESETS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@quarterly": "0 0 1 */3 *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

/** A cron expression over wall-clock time, represented as if it were UTC in ms, without time zone and daylight saving. */
export type WallCron = {
  /** First match strictly after `wall`. */
  next(wall: number): number;
  /** Last match strictly before `wall`. */
  previous(wall: number): number;
  /** Whether the hour field allows all 24 hours: decides how daylight-saving changes are handled. */
  coversEveryHour: boolean;
};

const compiled = new Map<string, WallCron>();

export function expandPreset(expression: string): string {
  const trimmed = expression.trim();
  return PRESETS[trimmed.toLowerCase()] ?? trimmed;
}

/**
 * Describes what is wrong with a cron expression (five fields or a preset such as `@daily`) or its time zone, in one sentence
 * with the value; null if both are valid.
 */
export function validateCron(expression: string, timezone: string): string | null {
  if (expression.length > MAX_LENGTH) {
    return `cron expression of ${expression.length} characters, starting "${expression.slice(0, 40)}…", is longer than ${MAX_LENGTH}`;
  }
  const problem = findExpressionProblem(expression);
  if (problem) return `invalid cron expression "${printable(expression)}": ${printable(problem)}`;
  if (!findZone(timezone)) return `unknown time zone "${timezone}": use an IANA name such as "Europe/Zurich", or "UTC"`;
  return null;
}

/** Like `validateCron`, for any timetable. */
export function validateTimetable(timetable: SerializedTimetable): string | null {
  if ("intervalSec" in timetable && (timetable.intervalSec ?? 0) > DURATION_MAX_SEC) {
    return `invalid data interval of ${timetable.intervalSec} s: it must not be above ${DURATION_MAX_TEXT}`;
  }
  if (timetable.type === "cron") return validateCron(timetable.expression, timetable.timezone);
  if (timetable.type === "crons") {
    const problems = timetable.expressions.map((expression) => validateCron(expression, timetable.timezone));
    return problems.find((problem) => problem !== null) ?? null;
  }
  if (timetable.type === "events") return findEventProblem(timetable.dates);
  if (timetable.type !== "delta") return null;
  const { seconds } = timetable;
  // Instants are whole milliseconds, so a shorter distance would never advance.
  if (seconds >= 0.001 && seconds <= DURATION_MAX_SEC) return null;
  return `invalid schedule of every ${seconds} s: it must be between 0.001 s and ${DURATION_MAX_TEXT}`;
}

function findEventProblem(dates: readonly string[]): string | null {
  const at = dates.findIndex((date, index) => index > 0 && Date.parse(date) <= Date.parse(dates[index - 1] ?? ""));
  return at < 0 ? null : `the events are not in order: "${dates[at]}" follows "${dates[at - 1]}"`;
}

/** Compiles a preset or five-field expression; throws `timetable_invalid` with the message of `validateCron`. */
export function compileCron(expression: string): WallCron {
  const known = compiled.get(expression);
  if (known) return known;
  const problem = expression.length > MAX_LENGTH ? `longer than ${MAX_LENGTH} characters` : findExpressionProblem(expression);
  if (problem) {
    const shown = printable(expression.slice(0, MAX_LENGTH));
    throw new BaramError("timetable_invalid", `invalid cron expression "${shown}": ${printable(problem)}`, { expression: shown });
  }
  const cron = compileFields(expandPreset(expression));
  compiled.set(expression, cron);
  return cron;
}

function findExpressionProblem(expression: string): string | null {
  const expanded = expandPreset(expression);
  if (expanded === "") return "it is empty; use null for a DAG without a schedule";
  if (expanded.startsWith("@")) return `there is no such preset; use one of ${Object.keys(PRESETS).join(", ")}`;
  const fields = expanded.split(/\s+/);
  if (fields.length === 6) return "it has 6 fields; seconds are not supported, so write 5: minute hour day month weekday";
  if (fields.length !== 5) return `it has ${fields.length} field(s) instead of 5: minute hour day month weekday`;
  // cron-parser replaces H by a random value, which would differ between two schedulers.
  if (fields.some((field) => /(^|[,/-])h/i.test(field)))
    return "'H' is not supported: it would mean another time on each machine";
  try {
    compileFields(expanded).next(Date.UTC(2000, 0, 1));
    return null;
  } catch (error) {
    const text = toError(error).message.replace(/^\w+ error, /, "");
    if (/day of month definition|loop limit/i.test(text)) return "no month of it has such a day, so it would never run";
    if (text.includes("NaN")) return "a range needs a number on both sides of its '-', and a step a number or * before its '/'";
    return text;
  }
}

/** Escapes control characters: NUL, for example, cannot be stored as text. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression must find them
  return text.replace(/[\u0000-\u001f\u007f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function compileFields(expression: string): WallCron {
  const parsed = CronExpressionParser.parse(expression, { tz: "UTC" });
  return {
    coversEveryHour: parsed.fields.hour.values.length === 24,
    next(wall) {
      parsed.reset(new Date(wall));
      return parsed.next().getTime();
    },
    previous(wall) {
      parsed.reset(new Date(wall));
      return parsed.prev().getTime();
    },
  };
}
