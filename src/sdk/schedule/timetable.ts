/** The newest run that the schedule created. */
export type LastTimetableRun = {
  readonly logicalDate: Date;
  readonly dataIntervalStart: Date;
  readonly dataIntervalEnd: Date;
  readonly runAfter: Date;
};

/**
 * The period in which a DAG is scheduled: its start and end date, inclusive, null if it has none, and its catchup. Baram enforces
 * the period whatever a timetable returns: a run before `earliest` is skipped, a run after `latest` ends the schedule.
 */
export type TimetableRestriction = { readonly earliest: Date | null; readonly latest: Date | null; readonly catchup: boolean };

/** Defaults: `logicalDate` = the start, `runAfter` = the end of the data interval. */
export type TimetableRun = {
  readonly dataIntervalStart: Date;
  readonly dataIntervalEnd: Date;
  readonly logicalDate?: Date;
  readonly runAfter?: Date;
};

/**
 * Base class of your own schedules: extend it, and give an object of your class to `dag({ schedule: … })`.
 * It is called when the file is loaded, never by the scheduler: the next 1,000 runs are planned in advance by repeated calls of
 * `nextRun`, each with the run that the previous call returned. When half of them are used up, new runs are planned. So the
 * result must depend on the arguments only.
 */
export abstract class Timetable {
  /** Shown with the DAG. */
  readonly description: string | null = null;

  /**
   * The run after `last`, or the first run if `last` is null. A `Date` is a run without a data interval that is due at that time;
   * null = there is no further run. The logical date must be later than that of `last`.
   */
  abstract nextRun(last: LastTimetableRun | null, restriction: TimetableRestriction): TimetableRun | Date | null;

  /**
   * The data interval of a manual run at `runAfter`. Called for each planned run's `runAfter`; the result is used until the next
   * run's `runAfter`. Default: the interval of the newest run that is due by then, or the moment itself if runs have no interval.
   */
  inferManualDataInterval?(runAfter: Date): { readonly dataIntervalStart: Date; readonly dataIntervalEnd: Date };
}
