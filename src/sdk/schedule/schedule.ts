import { CRONS_MAX, EVENTS_MAX, type SerializedTimetable } from "../../contracts/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import { dagDefaults } from "../options/dag-defaults.ts";
import { checkFlag } from "../options/task-settings.ts";
import { type DurationInput, type DurationParts, durationToSeconds, isDurationText } from "../values/duration.ts";
import { checkTimezone, type InstantInput, instantToIso } from "../values/instant.ts";
import { Timetable } from "./timetable.ts";

const CRON_PRESETS = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@quarterly": "0 0 1 */3 *",
  "@yearly": "0 0 1 1 *",
} as const;
export type SchedulePreset = keyof typeof CRON_PRESETS | "@once" | "@continuous";

/** The return value of `cron()`, `crons()`, `delta()` and `events()`. */
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
 * `delta("30m")`; `cron(expression, …)` for another time zone or for data intervals; `crons([…])` for several cron expressions;
 * `events([…])` for a list of instants; an object of your own class that extends `Timetable`.
 */
export type ScheduleInput = null | SchedulePreset | (string & {}) | DurationParts | Schedule | Timetable;

/** Further options of schedules without data intervals. */
export type TriggerOptions = {
  /** Gives each run a data interval of this length, which ends when the run is due. Default: none. */
  interval?: DurationInput;
  /**
   * Whether a new DAG without a start date also runs for the most recent past date: true, false, or the maximum age of that date.
   * Default: a tenth of the period, but at least five minutes.
   */
  runImmediately?: boolean | DurationInput;
};

const TRIGGER_NAMES = ["interval", "runImmediately"] satisfies (keyof TriggerOptions)[];

export type CronOptions = TriggerOptions & {
  /** IANA zone; default: the DAG's. */
  timezone?: string;
  /**
   * true = a run covers the interval that ends when it starts (Airflow's CronDataIntervalTimetable). Default: false, unless the
   * installation sets it.
   */
  intervals?: boolean;
};

/** A cron schedule with 5 fields (minute, hour, day of month, month, day of week). The dag-processor validates its syntax. */
export function cron(expression: string, options: CronOptions = {}): Schedule {
  checkOptionNames("cron()", options, { names: [...TRIGGER_NAMES, "timezone", "intervals"] });
  const { timezone } = options;
  if (timezone !== undefined) checkTimezone("cron(): timezone", timezone);
  if (typeof expression !== "string") throw invalid(expression, 'cron() takes an expression such as "0 6 * * *"');
  const trigger = triggerFields("cron()", options);
  return new Schedule(expression, (dagTimezone) => {
    const intervals = options.intervals ?? (Object.keys(trigger).length === 0 && dagDefaults().cronIntervals);
    return { ...cronTimetable(expression, timezone ?? dagTimezone, intervals), ...trigger };
  });
}

/**
 * Combines several cron schedules: one run at each instant that at least one of them matches. `crons(["0 6 * * *", "0 18 * *
 * 5"])`
 */
export function crons(expressions: readonly string[], options: Omit<CronOptions, "intervals"> = {}): Schedule {
  checkOptionNames("crons()", options, { names: [...TRIGGER_NAMES, "timezone"] });
  const { timezone } = options;
  if (timezone !== undefined) checkTimezone("crons(): timezone", timezone);
  const given: unknown = expressions;
  if (!Array.isArray(given) || given.length === 0 || given.some((one) => typeof one !== "string")) {
    throw invalid(expressions, "crons() takes a list of cron expressions, at least one");
  }
  if (given.length > CRONS_MAX) throw invalid(expressions, `crons() takes ${CRONS_MAX} expressions at most`);
  const trigger = triggerFields("crons()", options);
  const list = [...new Set(expressions)];
  return new Schedule(list.join(", "), (dagTimezone) => {
    return { type: "crons", expressions: list, timezone: timezone ?? dagTimezone, ...trigger };
  });
}

/** Runs with a fixed distance, e.g. `delta("30m")`; `intervals` and `interval` as in `cron()`. */
export function delta(every: DurationInput, options: { intervals?: boolean; interval?: DurationInput } = {}): Schedule {
  checkOptionNames("delta()", options, { names: ["intervals", "interval"] });
  const seconds = durationToSeconds("delta()", every);
  if (seconds <= 0) throw new DagDefinitionError("INVALID_SCHEDULE", "delta(): the distance between runs must be above zero");
  const summary = typeof every === "string" ? every : describeParts(every);
  const { intervalSec } = triggerFields("delta()", options);
  return new Schedule(summary, () => {
    const intervals = options.intervals ?? (intervalSec === undefined && dagDefaults().deltaIntervals);
    return { type: "delta", seconds, intervals, ...(intervalSec === undefined ? {} : { intervalSec }) };
  });
}

export type EventsOptions = {
  /** A manual run gets the newest past event as its data interval, or the first event if none is past. Default false. */
  restrictToEvents?: boolean;
  /** Shown instead of the number of events. */
  description?: string;
};

/** Runs once at each of these instants, in chronological order. Instants without an offset are in the DAG's time zone. */
export function events(dates: readonly InstantInput[], options: EventsOptions = {}): Schedule {
  const given: unknown = dates;
  if (!Array.isArray(given)) throw invalid(dates, "events() takes a list of instants");
  if (given.length > EVENTS_MAX) {
    throw invalid(dates, `events() takes ${EVENTS_MAX} instants at most; compute more in a class that extends Timetable`);
  }
  checkOptionNames("events()", options, { names: ["restrictToEvents", "description"] });
  const restrictToEvents = checkFlag("events()", "restrictToEvents", options.restrictToEvents) ?? false;
  const { description = null } = options;
  return new Schedule(description ?? `${dates.length} events`, (dagTimezone) => {
    const instants = dates.map((date) => Date.parse(instantToIso("events()", date, dagTimezone)));
    const ordered = [...new Set(instants)].sort((a, b) => a - b).map((instant) => new Date(instant).toISOString());
    return { type: "events", dates: ordered, restrictToEvents, description };
  });
}

/**
 * The contract form of a schedule and its summary for display.
 * @throws DagDefinitionError INVALID_SCHEDULE. Cron expressions are not validated here: the dag-processor does so with the
 * timetables' own parser, so that exactly those that can be scheduled are accepted.
 */
export function resolveSchedule(
  input: ScheduleInput | undefined,
  timezone: string,
): { timetable: SerializedTimetable; summary: string | null } {
  if (input === null || input === undefined) return { timetable: { type: "null" }, summary: null };
  if (input instanceof Timetable) {
    const name = input.constructor.name || "Timetable";
    return { timetable: { type: "custom", name, description: input.description }, summary: name };
  }
  if (input instanceof Schedule) return { timetable: input.resolve(timezone), summary: input.summary };
  if (typeof input === "string") return { timetable: parseText(input, timezone), summary: input };
  // What stands here most often, since Airflow and cron libraries take a list or a Date in this place.
  const given: unknown = input;
  if (Array.isArray(given)) throw invalid(given, "several cron expressions are crons([…]), several instants are events([…])");
  if (given instanceof Date) throw invalid(given, 'one run at an instant is "@once" with a startDate, or events([…])');
  if (typeof input === "object") {
    const schedule = delta(input);
    return { timetable: schedule.resolve(timezone), summary: schedule.summary };
  }
  throw invalid(input, "use null, a cron expression, a preset such as @daily, cron(), crons(), delta(), events() or a Timetable");
}

function parseText(text: string, timezone: string): SerializedTimetable {
  if (text === "@once") return { type: "once" };
  if (text === "@continuous") return { type: "continuous" };
  if (text.startsWith("@")) {
    const expression = Object.entries(CRON_PRESETS).find(([preset]) => preset === text)?.[1];
    if (expression !== undefined) return cronTimetable(expression, timezone, dagDefaults().cronIntervals);
    throw invalid(text, `the presets are @once, @continuous, ${Object.keys(CRON_PRESETS).join(", ")}`);
  }
  if (isDurationText(text)) throw invalid(text, `for a run every ${text} write delta("${text}")`);
  if (text.trim() === "") throw invalid(text, "use null for a DAG without schedule");
  return cronTimetable(text, timezone, dagDefaults().cronIntervals);
}

function cronTimetable(expression: string, timezone: string, intervals: boolean) {
  return { type: "cron" as const, expression, timezone, intervals };
}

/** Contains only the fields that are given, so that the form and the hash of schedules without them do not change. */
function triggerFields(where: string, options: TriggerOptions & { intervals?: boolean }) {
  const { interval, runImmediately } = options;
  const intervals = checkFlag(where, "intervals", options.intervals);
  if (intervals && (interval !== undefined || runImmediately !== undefined)) {
    throw new DagDefinitionError(
      "INVALID_SCHEDULE",
      `${where}: intervals cannot go with interval or runImmediately: with intervals a run covers the time up to its start`,
    );
  }
  const seconds = (name: string, input: DurationInput) => durationToSeconds(`${where}: ${name}`, input);
  const intervalSec = interval === undefined ? 0 : seconds("interval", interval);
  return {
    ...(intervalSec > 0 && { intervalSec }),
    ...(runImmediately !== undefined && {
      runImmediately: typeof runImmediately === "boolean" ? runImmediately : seconds("runImmediately", runImmediately),
    }),
  };
}

function describeParts(parts: DurationParts): string {
  return Object.entries(parts)
    .map(([unit, amount]) => `${amount} ${unit}`)
    .join(" ");
}

function invalid(value: unknown, remedy: string): DagDefinitionError {
  return new DagDefinitionError("INVALID_SCHEDULE", `schedule: ${showValue(value)} is not a schedule: ${remedy}`, { value });
}
