import type { SerializedTimetable } from "../contracts/index.ts";
import { periodOf } from "./period.ts";
import { type DataInterval, hasDataIntervals, triggerIntervalMs } from "./run-instants.ts";

/** What was planned of a custom timetable at a moment: the newest run due by then. */
export type PlannedInterval = DataInterval & { manualInterval: DataInterval | null };

/**
 * The data interval of a run that somebody starts by hand with this logical date (epoch ms): the last complete interval
 * before it for schedules with data intervals, else the instant itself. Follows Airflow's `infer_manual_data_interval`. For
 * a custom timetable, `planned` is the newest planned run due by that date, null where there is none.
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
