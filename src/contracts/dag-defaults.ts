import { z } from "zod";
import { WeightRule } from "./states.ts";

/** What an installation fills in where a DAG file says nothing. Decided while the file is evaluated, so a part of its inputs. */
export const dagDefaultsSchema = z.object({
  catchup: z.boolean(),
  /** Whether a cron expression, or a delta, means data intervals where the schedule does not say. */
  cronIntervals: z.boolean(),
  deltaIntervals: z.boolean(),
  maxActiveRuns: z.int().min(1),
  maxActiveTasks: z.int().min(1),
  maxConsecutiveFailedDagRuns: z.int().min(0),
  owner: z.string().min(1),
  queue: z.string().min(1),
  /** An IANA zone: of schedules and of dates without an offset. */
  timezone: z.string().min(1),
  retries: z.int().min(0),
  retryDelaySec: z.number().min(0),
  weightRule: z.enum(WeightRule),
  executionTimeoutSec: z.number().positive().nullable(),
});
export type DagDefaults = z.infer<typeof dagDefaultsSchema>;

/** Airflow's, but for the owner's name. */
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
