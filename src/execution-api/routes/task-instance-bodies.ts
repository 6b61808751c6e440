/** What a worker may report of its own try, in Airflow's shapes, and how that maps to Baram's outcomes. */

import { Duration } from "luxon";
import { z } from "zod";
import {
  durationSecSchema,
  idSchema,
  jsonObjectSchema,
  mapIndexSchema,
  type Outcome,
  storableTextSchema,
} from "../../contracts/index.ts";
import { check, instantSchema } from "../read-request.ts";
import { Refusal } from "../refusal.ts";

export const runSchema = z.strictObject({
  state: z.literal("running"),
  hostname: storableTextSchema(255).min(1),
  unixname: storableTextSchema(255).min(1),
  pid: z.int32(),
  /** Only validated: a try's instants are taken from the database's clock. */
  start_date: instantSchema,
});

export const heartbeatSchema = z.strictObject({ hostname: z.string().min(1), pid: z.int() });

export const skipDownstreamSchema = z.strictObject({
  tasks: z.array(z.union([idSchema, z.tuple([idSchema, mapIndexSchema])])),
});

const labelled = { end_date: instantSchema, rendered_map_index: z.string().nullish() };
const stateSchema = z.discriminatedUnion("state", [
  // Baram has no assets: their events are accepted and ignored, so that workers that always send the lists work.
  z.strictObject({
    state: z.literal("success"),
    ...labelled,
    task_outlets: z.array(z.unknown()).optional(),
    outlet_events: z.array(z.unknown()).optional(),
  }),
  z.strictObject({ state: z.enum(["failed", "skipped", "removed", "upstream_failed"]), ...labelled }),
  z.strictObject({
    state: z.literal("up_for_retry"),
    ...labelled,
    retry_delay_seconds: durationSecSchema.nullish(),
    retry_reason: z.string().nullish(),
  }),
  z.strictObject({ state: z.literal("up_for_reschedule"), end_date: instantSchema, reschedule_date: instantSchema }),
  z.strictObject({
    state: z.literal("deferred"),
    classpath: z.string().min(1).max(250),
    /** Airflow's clients may encrypt them with their own key, which Baram does not have. */
    trigger_kwargs: jsonObjectSchema.default({}),
    /** An ISO 8601 duration, or seconds. */
    trigger_timeout: z.union([durationSecSchema, z.string().transform(secondsOf).pipe(durationSecSchema)]).nullish(),
    queue: z.string().nullish(),
    next_method: z.string().min(1).max(250),
    next_kwargs: jsonObjectSchema.default({}),
    rendered_map_index: z.string().nullish(),
    end_date: instantSchema.optional(),
  }),
]);

const waiting = z.looseObject({ state: z.enum(["awaiting_input"]) });

function secondsOf(text: string, context: z.RefinementCtx): number {
  const seconds = Duration.fromISO(text).as("seconds");
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  context.addIssue({ code: "custom", message: `"${text}" is no ISO 8601 duration such as "PT10M"` });
  return z.NEVER;
}

/** Throws 422 for a state that a running try cannot report. */
export function parseState(body: unknown): Outcome {
  const put = waiting.safeParse(body);
  if (put.success) {
    throw new Refusal(
      422,
      "deferral_unsupported",
      `body.state: "${put.data.state}" cannot be reported: Baram has no human-in-the-loop tasks.`,
      { field: "body.state" },
    );
  }
  const report = check(stateSchema, body, "body");
  switch (report.state) {
    case "success":
      return { state: "success", xcoms: [], skipTasks: [] };
    case "skipped":
      return { state: "skipped", reason: "the task was skipped", xcoms: [] };
    case "up_for_reschedule":
      return { state: "up_for_reschedule", rescheduleDate: report.reschedule_date.toISOString() };
    case "deferred":
      return {
        state: "deferred",
        classpath: report.classpath,
        triggerKwargs: report.trigger_kwargs,
        timeoutSec: report.trigger_timeout ?? null,
        nextMethod: report.next_method,
        nextKwargs: report.next_kwargs,
      };
    case "up_for_retry":
      // Whether a retry is left, and when it is due, is decided by the server from the DAG version.
      return failure("TaskFailed", report.retry_reason ?? "the task failed and asks for a retry", true);
    case "failed":
      return failure("TaskFailed", "the task failed, not to be retried", false);
    case "removed":
    case "upstream_failed":
      // Only a scheduler may decide these states. A worker that reports one cannot run the task, so the try must not stay running.
      return failure("TaskNotRun", `the worker did not run the task: it reported ${report.state}`, false);
  }
}

function failure(name: string, message: string, retryable: boolean): Outcome {
  return { state: "failed", retryable, error: { name, message, stack: null }, xcoms: [] };
}
