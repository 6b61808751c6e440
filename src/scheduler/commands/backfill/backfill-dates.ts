import type { SerializedTimetable } from "../../../contracts/index.ts";
import { BaramError } from "../../../platform/index.ts";
import type { BackfillDate } from "../../../store/index.ts";
import { nextRuns } from "../../../timetables/index.ts";

/** Two years of an hourly schedule. Longer spans need several backfills, one after another. */
export const BACKFILL_DATES_MAX = 20_000;
/** Some 10 ms of counting. */
const CHUNK = 200;

export type DateSpan = { dagId: string; timetable: SerializedTimetable; from: Date; to: Date };

/**
 * The points of the schedule with a logical date from `from` to `to` (both inclusive) whose interval has ended, the oldest first.
 * As in Airflow, the DAG's own start and end date do not bound them. Yields to the event loop in between, since counting up a long
 * span takes a while. Throws `too_many_runs` above `BACKFILL_DATES_MAX`.
 */
export async function backfillDates({ dagId, timetable, from, to }: DateSpan, now: Date): Promise<BackfillDate[]> {
  const dates: BackfillDate[] = [];
  const restriction = { earliest: from, latest: to, catchup: true };
  for (;;) {
    const chunk = nextRuns(timetable, { last: dates.at(-1) ?? null, restriction, now }, CHUNK);
    const ended = chunk.filter((run) => run.dataIntervalEnd < now);
    dates.push(...ended);
    if (dates.length > BACKFILL_DATES_MAX) {
      throw new BaramError(
        "too_many_runs",
        `From ${from.toISOString()} to ${to.toISOString()} the schedule of DAG "${dagId}" has more than ${BACKFILL_DATES_MAX} dates. Make several backfills of shorter spans, one after the other.`,
        { dagId, limit: BACKFILL_DATES_MAX },
      );
    }
    if (ended.length < CHUNK) return dates;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
