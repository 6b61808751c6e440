import type { SerializedTimetable } from "../contracts/index.ts";
import { periodOf } from "./period.ts";
import { type DataInterval, hasDataIntervals, triggerIntervalMs } from "./run-instants.ts";

/** For a custom timetable: the newest planned run that is due at a given moment. */
export type PlannedInterval = DataInterval & { manualInterval: DataInterval | null };

/**
 * The data interval of a manual run with this logical date (epoch ms): the last complete interval before it for schedules with
 * data intervals, otherwise the instant itself. Follows Airflow's `infer_manual_data_interval`. For a custom timetable, `planned`
 * is the newest planned run that is due by that date, or null.
 */
export function manualRunInterval(
  timetable: SerializedTimetable,
  logicalDate: number,
  planned: PlannedInterval | null = null,
): DataInterval {
  switch (timetable.type) {
    case "cron":
    case "crons":
    case "delta": {
      if (!hasDataIntervals(timetable)) return intervalOf(logicalDate - triggerIntervalMs(timetable), logicalDate);
      const period = periodOf(timetable);
      const end = period.alignToPrevious(logicalDate);
      return intervalOf(period.previous(end), end);
    }
    case "events": {
      if (!timetable.restrictToEvents) return intervalOf(logicalDate, logicalDate);
      const events = timetable.dates.map((date) => Date.parse(date));
      const event = events.findLast((date) => date <= logicalDate) ?? events[0] ?? logicalDate;
      return intervalOf(event, event);
    }
    case "custom": {
      if (planned?.manualInterval) return planned.manualInterval;
      const hasInterval = planned && planned.dataIntervalStart < planned.dataIntervalEnd;
      return hasInterval ? intervalOf(planned.dataIntervalStart, planned.dataIntervalEnd) : intervalOf(logicalDate, logicalDate);
    }
    default:
      return intervalOf(logicalDate, logicalDate);
  }
}

function intervalOf(dataIntervalStart: number, dataIntervalEnd: number): DataInterval {
  return { dataIntervalStart, dataIntervalEnd };
}
