import type { SerializedTimetable } from "../contracts/index.ts";
import { expandPreset } from "./cron-expression.ts";

const UNITS: readonly [name: string, seconds: number][] = [
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Describes a schedule for lists and tooltips: `Every 5 minutes`, `Cron "0 0 * * *" in Europe/Zurich`. */
export function describe(timetable: SerializedTimetable): string {
  switch (timetable.type) {
    case "null":
      return "Never, external triggers only";
    case "once":
      return "Once, as soon as possible";
    case "continuous":
      return "As frequently as possible, but only one run at a time";
    case "cron":
      return `Cron "${expandPreset(timetable.expression)}" in ${timetable.timezone}`;
    case "crons":
      return `Crons ${timetable.expressions.map((one) => `"${expandPreset(one)}"`).join(", ")} in ${timetable.timezone}`;
    case "events":
      return timetable.description ?? describeEvents(timetable.dates);
    case "custom":
      return timetable.description ?? `Timetable ${timetable.name} of the DAG file`;
    case "delta":
      return `Every ${describeSeconds(timetable.seconds)}`;
  }
}

function describeEvents(dates: readonly string[]): string {
  const [first, last] = [dates[0], dates.at(-1)];
  if (first === undefined || last === undefined) return "No events";
  return dates.length === 1 ? `One event at ${first}` : `${dates.length} events between ${first} and ${last}`;
}

function describeSeconds(seconds: number): string {
  const [name, size] = UNITS.find(([, unit]) => seconds >= unit && seconds % unit === 0) ?? ["second", 1];
  const count = seconds / size;
  return count === 1 ? name : `${count} ${name}s`;
}
