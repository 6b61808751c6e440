import type { SerializedTimetable } from "../contracts/index.ts";
import { periodOf } from "./period.ts";
import type { DataInterval } from "./run-instants.ts";

/**
 * The data interval of a run that somebody starts by hand with this logical date (epoch ms): the last complete interval
 * before it for schedules with data intervals, else the instant itself. Follows Airflow's `infer_manual_data_interval`.
 */
export function manualRunInterval(timetable: SerializedTimetable, logicalDate: number): DataInterval {
  if ((timetable.type !== "cron" && timetable.type !== "delta") || !timetable.intervals) {
    return { dataIntervalStart: logicalDate, dataIntervalEnd: logicalDate };
  }
  const period = periodOf(timetable);
  const end = period.alignToPrevious(logicalDate);
  return { dataIntervalStart: period.previous(end), dataIntervalEnd: end };
}
