import { z } from "zod";
import { durationSecSchema, instantMsSchema, instantTextSchema, positiveSecSchema } from "./bound-schemas.ts";

/** More than this in one list belongs into a class that computes them. */
export const EVENTS_MAX = 10_000;
/** Each is asked at every step, so a long list would slow the scheduler down. */
export const CRONS_MAX = 100;

/** What schedules without data intervals may have besides; both are Airflow's. */
const triggerFields = {
  /** Length of the data interval that ends when the run is due; absent = none. */
  intervalSec: positiveSecSchema.optional(),
  /**
   * Whether the instant before a new DAG without a start date still runs: true = yes, false = no, a number = if it is at
   * most so many seconds past, null = if it is at most 10 % of the period past, and 5 minutes at least.
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
  /** The union of several crons, each instant once: Airflow's MultipleCronTriggerTimetable. */
  z.object({
    type: z.literal("crons"),
    expressions: z.array(z.string()).min(1).max(CRONS_MAX),
    timezone: z.string(),
    ...triggerFields,
  }),
  /** Fixed length; `intervals` as for cron. */
  z.object({
    type: z.literal("delta"),
    seconds: positiveSecSchema,
    intervals: z.boolean(),
    intervalSec: triggerFields.intervalSec,
  }),
  /** A list of instants, ascending, each once: Airflow's EventsTimetable. */
  z.object({
    type: z.literal("events"),
    dates: z.array(instantTextSchema).max(EVENTS_MAX),
    /** A manual run's data interval is the newest event, or the first one, instead of its own date. */
    restrictToEvents: z.boolean(),
    description: z.string().nullable(),
  }),
  /** A class of the DAG file. Its runs are planned ahead by the dag-processor (ADR 0014) and are no part of the version. */
  z.object({ type: z.literal("custom"), name: z.string(), description: z.string().nullable() }),
]);
export type SerializedTimetable = z.infer<typeof timetableSchema>;

/** Runs that a custom timetable is planned ahead at most. */
export const PLANNED_RUNS_MAX = 1_000;

/** Epoch milliseconds. `start` ≤ `end`. */
const interval = z.tuple([instantMsSchema, instantMsSchema]);

/** A run of a custom timetable, in epoch milliseconds, as the evaluation child planned it. */
export const plannedRunSchema = z.object({
  logicalDate: instantMsSchema,
  dataInterval: interval,
  runAfter: instantMsSchema,
  /** Data interval of a run that is triggered by hand from this run's `runAfter` on; null = the class does not say. */
  manualInterval: interval.nullable(),
});
export type PlannedRun = z.infer<typeof plannedRunSchema>;

/**
 * The next runs of a custom timetable, ascending; without catchup, the last two that are due come first. `hasEnded`: the
 * class said that none follows.
 */
export const timetablePlanSchema = z.object({ runs: z.array(plannedRunSchema).max(PLANNED_RUNS_MAX + 2), hasEnded: z.boolean() });
export type TimetablePlan = z.infer<typeof timetablePlanSchema>;

const pastRunSchema = plannedRunSchema.omit({ manualInterval: true });

/**
 * Where a plan begins, in epoch milliseconds: behind the newest automatic run with catchup, else behind a planned run that
 * has passed, so that the way from an old run to now is not gone again and again. null = there is none.
 */
export const planSeedSchema = z.object({ last: pastRunSchema.nullable(), passed: pastRunSchema.nullable() });
export type PlanSeed = z.infer<typeof planSeedSchema>;
