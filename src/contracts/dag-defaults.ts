import { z } from "zod";
import { countSchema, durationSecSchema, positiveSecSchema } from "./bound-schemas.ts";
import { WeightRule } from "./states.ts";

/**
 * The installation's defaults for options that a DAG file does not set. They are applied when the file is evaluated, so they are
 * part of the evaluation's inputs.
 */
export const dagDefaultsSchema = z.object({
  catchup: z.boolean(),
  /** Whether a cron expression, or a delta, means data intervals if the schedule does not specify it. */
  cronIntervals: z.boolean(),
  deltaIntervals: z.boolean(),
  maxActiveRuns: countSchema(1),
  maxActiveTasks: countSchema(1),
  maxConsecutiveFailedDagRuns: countSchema(0),
  owner: z.string().min(1),
  queue: z.string().min(1),
  /** IANA zone of schedules and of dates without an offset. */
  timezone: z.string().min(1),
  retries: countSchema(0),
  retryDelaySec: durationSecSchema,
  weightRule: z.enum(WeightRule),
  executionTimeoutSec: positiveSecSchema.nullable(),
});
export type DagDefaults = z.infer<typeof dagDefaultsSchema>;

/** Airflow's defaults, except for the owner's name. */
export const DAG_DEFAULTS: DagDefaults = {
  catchup: false,
  cronIntervals: false,
  deltaIntervals: false,
  maxActiveRuns: 16,
  maxActiveTasks: 16,
  maxConsecutiveFailedDagRuns: 0,
  owner: "baram",
  queue: "default",
  timezone: "UTC",
  retries: 0,
  retryDelaySec: 300,
  weightRule: "downstream",
  executionTimeoutSec: null,
};
