/** The newest run that the schedule created. */
export type LastTimetableRun = {
  readonly logicalDate: Date;
  readonly dataIntervalStart: Date;
  readonly dataIntervalEnd: Date;
  readonly runAfter: Date;
};

/**
 * Within what a DAG is scheduled: its start and end date, inclusive, null where it has none, and its catchup. Baram holds
 * them itself whatever a timetable answers: a run before `earliest` is passed over, one after `latest` ends the schedule.
 */
export type TimetableRestriction = { readonly earliest: Date | null; readonly latest: Date | null; readonly catchup: boolean };

/** Default of `logicalDate`: the start; of `runAfter`: the end. */
export type TimetableRun = {
  readonly dataIntervalStart: Date;
  readonly dataIntervalEnd: Date;
  readonly logicalDate?: Date;
  readonly runAfter?: Date;
};

/**
 * A schedule of your own: extend it, and give an object of your class to `dag({ schedule: … })`.
 *
 * It is asked when the file is read, never by the scheduler: the next 1,000 runs are planned ahead by calling `nextRun`
 * again and again, each time with the run it answered before, and planned anew when half of them are used up. So the answer
 * must follow from the arguments alone.
 */
export abstract class Timetable {
  /** Shown beside the DAG. */
  readonly description: string | null = null;

  /**
   * The run after `last`, or the first one if that is null. A `Date` is a run without a data interval, due then; null = none
   * follows. Its logical date must be later than the last one's.
   */
  abstract nextRun(last: LastTimetableRun | null, restriction: TimetableRestriction): TimetableRun | Date | null;

  /**
   * The data interval of a run triggered by hand at this moment. Asked for each planned run's `runAfter`, and good until the
   * next one's. Default: the interval of the newest run due by then, or the moment itself where runs have none.
   */
  inferManualDataInterval?(runAfter: Date): { readonly dataIntervalStart: Date; readonly dataIntervalEnd: Date };
}
