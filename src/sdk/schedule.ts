import type { SerializedTimetable } from "../contracts/index.ts";
import { DagDefinitionError, showValue } from "./definition-error.ts";
import { type DurationInput, type DurationParts, durationToSeconds, isDurationText } from "./duration.ts";
import { checkTimezone } from "./instant.ts";

const CRON_PRESETS = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@quarterly": "0 0 1 */3 *",
  "@yearly": "0 0 1 1 *",
} as const;
export type SchedulePreset = keyof typeof CRON_PRESETS | "@once" | "@continuous";

/** What `cron()` and `delta()` return. */
export class Schedule {
  readonly summary: string;
  readonly resolve: (dagTimezone: string) => SerializedTimetable;

  constructor(summary: string, resolve: (dagTimezone: string) => SerializedTimetable) {
    this.summary = summary;
    this.resolve = resolve;
  }
}

/**
 * When a DAG runs: `null` = only when triggered; a preset; a cron expression in the DAG's time zone; a duration object or
 * `delta("30m")`; `cron(expression, …)` for a zone of its own or for data intervals.
 */
export type ScheduleInput = null | SchedulePreset | (string & {}) | DurationParts | Schedule;

export type CronOptions = {
  /** IANA zone; default: the DAG's. */
  timezone?: string;
  /** true = a run covers the interval that ends when it starts (Airflow's CronDataIntervalTimetable). Default false. */
  intervals?: boolean;
};

/** A cron schedule: 5 fields (minute, hour, day of month, month, day of week). Its syntax is checked when the file is processed. */
export function cron(expression: string, options: CronOptions = {}): Schedule {
  const { timezone, intervals = false } = options;
  if (timezone !== undefined) checkTimezone("cron(): timezone", timezone);
  return new Schedule(expression, (dagTimezone) => cronTimetable(expression, timezone ?? dagTimezone, intervals));
}

/** Runs at a fixed distance, e.g. `delta("30m")`; `intervals` as for `cron()`. */
export function delta(every: DurationInput, options: { intervals?: boolean } = {}): Schedule {
  const seconds = durationToSeconds("delta()", every);
  if (seconds <= 0) throw new DagDefinitionError("INVALID_SCHEDULE", "delta(): the distance between runs must be above zero");
  const summary = typeof every === "string" ? every : describeParts(every);
  return new Schedule(summary, () => ({ type: "delta", seconds, intervals: options.intervals ?? false }));
}

/**
 * The contract form of a schedule and its summary for display.
 * @throws DagDefinitionError INVALID_SCHEDULE. Cron expressions pass unchecked here: the dag-processor checks them with the
 * timetables' own parser, so that what is accepted is exactly what will be scheduled.
 */
export function resolveSchedule(
  input: ScheduleInput | undefined,
  timezone: string,
): { timetable: SerializedTimetable; summary: string | null } {
  if (input === null || input === undefined) return { timetable: { type: "null" }, summary: null };
  if (input instanceof Schedule) return { timetable: input.resolve(timezone), summary: input.summary };
  if (typeof input === "string") return { timetable: parseText(input, timezone), summary: input };
  if (typeof input === "object") {
    const schedule = delta(input);
    return { timetable: schedule.resolve(timezone), summary: schedule.summary };
  }
  throw invalid(input, "use null, a cron expression, a preset such as @daily, or delta()");
}

function parseText(text: string, timezone: string): SerializedTimetable {
  if (text === "@once") return { type: "once" };
  if (text === "@continuous") return { type: "continuous" };
  if (text.startsWith("@")) {
    const expression = Object.entries(CRON_PRESETS).find(([preset]) => preset === text)?.[1];
    if (expression !== undefined) return cronTimetable(expression, timezone, false);
    throw invalid(text, `the presets are @once, @continuous, ${Object.keys(CRON_PRESETS).join(", ")}`);
  }
  if (isDurationText(text)) throw invalid(text, `for a run every ${text} write delta("${text}")`);
  if (text.trim() === "") throw invalid(text, "use null for a DAG without schedule");
  return cronTimetable(text, timezone, false);
}

function cronTimetable(expression: string, timezone: string, intervals: boolean): SerializedTimetable {
  return { type: "cron", expression, timezone, intervals };
}

function describeParts(parts: DurationParts): string {
  return Object.entries(parts)
    .map(([unit, amount]) => `${amount} ${unit}`)
    .join(" ");
}

function invalid(value: unknown, remedy: string): DagDefinitionError {
  return new DagDefinitionError("INVALID_SCHEDULE", `schedule: ${showValue(value)} is not a schedule: ${remedy}`, { value });
}
