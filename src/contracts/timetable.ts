import { z } from "zod";
import { durationSecSchema, instantMsSchema, instantTextSchema, positiveSecSchema } from "./bound-schemas.ts";

/** Longer lists should be computed by a timetable class. */
export const EVENTS_MAX = 10_000;
/** Each expression is evaluated at every step, so a long list would slow down the scheduler. */
export const CRONS_MAX = 100;

/** Further options of schedules without data intervals; both are Airflow's. */
const triggerFields = {
  /** Length of the data interval that ends when the run is due; absent = none. */
  intervalSec: positiveSecSchema.optional(),
  /**
   * Whether a new DAG without a start date also runs for the most recent past instant: true = yes, false = no, a number = if it
   * is at most that many seconds ago, null = if it is at most 10 % of the period ago, but at least 5 minutes.
   */
  runImmediately: z.union([z.boolean(), durationSecSchema]).optional(),
};

export const timetableSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("null") }),
  z.object({ type: z.literal("once") }),
  z.object({ type: z.literal("continuous") }),
  /** `intervals`: false = cron trigger, true = Airflow's CronDataIntervalTimetable. */
  z.object({
    type: z.literal("cron"),
    expression: z.string(),
    timezone: z.string(),
    intervals: z.boolean(),
    ...triggerFields,
  }),
  /** The union of several cron expressions, each instant once: Airflow's MultipleCronTriggerTimetable. */
  z.object({
    type: z.literal("crons"),
    expressions: z.array(z.string()).min(1).max(CRONS_MAX),
    timezone: z.string(),
    ...triggerFields,
  }),
  /** Fixed distance; `intervals` as in cron. */
  z.object({
    type: z.literal("delta"),
    seconds: positiveSecSchema,
    intervals: z.boolean(),
    intervalSec: triggerFields.intervalSec,
  }),
  /** A list of instants in ascending order without duplicates: Airflow's EventsTimetable. */
  z.object({
    type: z.literal("events"),
    dates: z.array(instantTextSchema).max(EVENTS_MAX),
    /** A manual run's data interval is the newest event, or the first one, instead of its own date. */
    restrictToEvents: z.boolean(),
    description: z.string().nullable(),
  }),
  /** A class of the DAG file. The dag-processor plans its runs in advance (ADR 0014); they are not part of the version. */
  z.object({ type: z.literal("custom"), name: z.string(), description: z.string().nullable() }),
]);
export type SerializedTimetable = z.infer<typeof timetableSchema>;

/** Maximum number of planned runs of a custom timetable. */
export const PLANNED_RUNS_MAX = 1_000;

/** Epoch milliseconds. `start` ≤ `end`. */
const interval = z.tuple([instantMsSchema, instantMsSchema]);

/** A run of a custom timetable, in epoch milliseconds, as planned by the evaluation child. */
export const plannedRunSchema = z.object({
  logicalDate: instantMsSchema,
  dataInterval: interval,
  runAfter: instantMsSchema,
  /**
   * Data interval of a run that is triggered manually at or after this run's `runAfter`; null = the class does not specify it.
   */
  manualInterval: interval.nullable(),
});
export type PlannedRun = z.infer<typeof plannedRunSchema>;

/**
 * The next runs of a custom timetable, ascending; without catchup, the list starts with the last two that are due. `hasEnded`:
 * the class returned that there are no further runs.
 */
export const timetablePlanSchema = z.object({ runs: z.array(plannedRunSchema).max(PLANNED_RUNS_MAX + 2), hasEnded: z.boolean() });
export type TimetablePlan = z.infer<typeof timetablePlanSchema>;

const pastRunSchema = plannedRunSchema.omit({ manualInterval: true });

/**
 * Where a plan starts, in epoch milliseconds: with catchup after the newest automatic run, otherwise after a planned run in the
 * past, so that the class is not called again for all dates from an old run to now. null = there is none.
 */
export const planSeedSchema = z.object({ last: pastRunSchema.nullable(), passed: pastRunSchema.nullable() });
export type PlanSeed = z.infer<typeof planSeedSchema>;
