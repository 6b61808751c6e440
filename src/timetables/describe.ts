import type { SerializedTimetable } from "../contracts/index.ts";
import { expandPreset } from "./cron-expression.ts";

const UNITS: readonly [name: string, seconds: number][] = [
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** A schedule in words, for lists and tooltips: `Every 5 minutes`, `Cron "0 0 * * *" in Europe/Zurich`. */
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
    case "delta":
      return `Every ${describeSeconds(timetable.seconds)}`;
  }
}

function describeSeconds(seconds: number): string {
  const [name, size] = UNITS.find(([, unit]) => seconds >= unit && seconds % unit === 0) ?? ["second", 1];
  const count = seconds / size;
  return count === 1 ? name : `${count} ${name}s`;
}
