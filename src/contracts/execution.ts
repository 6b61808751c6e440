import { z } from "zod";
import { durationSecSchema, instantTextSchema, mapIndexSchema } from "./bound-schemas.ts";
import {
  cutText,
  DEFERRAL_NAME_MAX,
  ERROR_NAME_MAX,
  INT4_MAX,
  LABEL_MAX,
  OUTCOME_XCOMS_MAX,
  RENDERED_FIELDS_MAX,
  SHOWN_TEXT_MAX,
  SKIP_TASKS_MAX,
  XCOM_KEY_MAX,
} from "./bounds/index.ts";
import { resumeSchema } from "./deferral.ts";
import { idSchema, runIdSchema } from "./ids.ts";
import { jsonObjectSchema, jsonValueSchema } from "./json.ts";
import { DagRunState, DagRunType, type TaskInstanceState } from "./states.ts";

/** The facts about its DAG run that a task can read. Instants are ISO 8601 in UTC. */
export const dagRunFactsSchema = z.object({
  dagId: idSchema,
  runId: runIdSchema,
  runType: z.enum(DagRunType),
  state: z.enum(DagRunState),
  logicalDate: z.string().nullable(),
  dataIntervalStart: z.string().nullable(),
  dataIntervalEnd: z.string().nullable(),
  runAfter: z.string(),
  startDate: z.string().nullable(),
  endDate: z.string().nullable(),
  conf: jsonObjectSchema,
  clearNumber: z.int(),
  note: z.string().nullable(),
  triggeringUserName: z.string().nullable(),
});
export type DagRunFacts = z.infer<typeof dagRunFactsSchema>;

/** `mapIndex` -1 = the task is not mapped. */
export const xcomEntrySchema = z.object({ key: z.string().min(1).max(XCOM_KEY_MAX), value: jsonValueSchema });
export const xcomRefSchema = z.object({
  dagId: idSchema,
  runId: runIdSchema,
  taskId: idSchema,
  key: z.string(),
  mapIndex: mapIndexSchema,
});
export type XcomRef = z.infer<typeof xcomRefSchema>;

/**
 * The facts about other tasks' results from which a mapped try determines its elements: their lengths, and the elements
 * themselves.
 */
export const mapFactsSchema = z.object({
  lengths: z.array(z.object({ taskId: idSchema, length: z.int().min(0) })),
  elements: z.array(z.object({ taskId: idSchema, index: z.int().min(0), value: jsonValueSchema })),
});
export type MapFacts = z.infer<typeof mapFactsSchema>;

/** The answer to `run`: everything a runner needs to start without further requests. */
export const runContextSchema = z.object({
  dagRun: dagRunFactsSchema,
  maxTries: z.int(),
  /** Whether a failure of this try would be retried: decides between onRetry and onFailure. */
  shouldRetry: z.boolean(),
  taskRescheduleCount: z.int(),
  /** The platform has written into the try's log before this start, for example why it had to wait. */
  isLogBegun: z.boolean().optional(),
  /** First start of this try, kept over reschedules and deferrals: a sensor's timeout is measured from it. */
  startDate: z.string(),
  /** Set if the try continues after a deferral. */
  resume: resumeSchema.nullish(),
  executionTimeoutSec: z.number().nullable(),
  /**
   * The XComs named by the serialized task's `inputs`, if they exist and are small in total; of a mapped task's instances all or
   * none. XComs that are not included are requested when the task reads them.
   */
  inputs: z.array(z.object({ taskId: idSchema, key: z.string(), mapIndex: z.int(), value: jsonValueSchema })),
  /** For a mapped try; null for all others. */
  map: mapFactsSchema.nullable().default(null),
  /** Maximum number of elements of a result over which other tasks are mapped. */
  maxMapLength: z.int().default(1024),
  /** Valid while the try runs; renewed by heartbeats. */
  token: z.string(),
  xcomMaxBytes: z.int(),
  /** Maximum JSON length up to which a rendered field is stored completely; absent: 4,096 characters. */
  templatedFieldMaxLength: z.int().optional(),
});
export type RunContext = z.infer<typeof runContextSchema>;

/** A text that people read: cut instead of refused, since nothing else depends on its end. */
const shownTextSchema = (max: number) => z.string().transform((text) => cutText(text, max));

export const taskErrorSchema = z.object({
  /** Constructor name of the error, e.g. "TypeError". */
  name: shownTextSchema(ERROR_NAME_MAX),
  message: shownTextSchema(SHOWN_TEXT_MAX),
  stack: shownTextSchema(SHOWN_TEXT_MAX).nullable(),
});
export type TaskError = z.infer<typeof taskErrorSchema>;

/** The rendered `mapIndexTemplate`: shown instead of the instance's map index. */
const renderedMapIndexSchema = shownTextSchema(LABEL_MAX).optional();
const xcomsSchema = z.array(xcomEntrySchema).max(OUTCOME_XCOMS_MAX).default([]);
const renderedFieldsSchema = jsonObjectSchema
  .refine((fields) => Object.keys(fields).length <= RENDERED_FIELDS_MAX, {
    error: `must not have more than ${RENDERED_FIELDS_MAX} fields`,
  })
  .optional();

/**
 * How a try ended, as reported by its runner or its supervisor. Every list and text has a bound: what people read is cut, and what
 * would lose data is refused. The size of a JSON value is bounded by [xcom] max_size_bytes, in `limit-outcome.ts` of the API.
 */
export const outcomeSchema = z.discriminatedUnion("state", [
  z.object({
    state: z.literal("success"),
    xcoms: xcomsSchema,
    /** Number of elements of the returned list or object; only for a task over whose result others are mapped. */
    mapLength: z.int().min(0).max(INT4_MAX).optional(),
    /** Downstream task ids that a branch or short circuit skips. */
    skipTasks: z.array(idSchema).max(SKIP_TASKS_MAX).default([]),
    renderedFields: renderedFieldsSchema,
    renderedMapIndex: renderedMapIndexSchema,
  }),
  z.object({
    state: z.literal("skipped"),
    reason: shownTextSchema(SHOWN_TEXT_MAX),
    xcoms: xcomsSchema,
    renderedFields: renderedFieldsSchema,
    renderedMapIndex: renderedMapIndexSchema,
  }),
  z.object({
    state: z.literal("failed"),
    error: taskErrorSchema,
    /** false for a FailError, an invalid XCom …: no retry even if retries are left. */
    retryable: z.boolean(),
    /** The task's process has died: onFailure or onRetry did not run in it, so the platform must run it. */
    owesCallback: z.boolean().optional(),
    xcoms: xcomsSchema,
    renderedFields: renderedFieldsSchema,
    renderedMapIndex: renderedMapIndexSchema,
  }),
  z.object({
    state: z.literal("up_for_reschedule"),
    rescheduleDate: instantTextSchema,
    renderedFields: renderedFieldsSchema,
  }),
  /** The try waits for a trigger and uses no worker slot meanwhile. */
  z.object({
    state: z.literal("deferred"),
    /** Name of a built-in trigger, or of one that the task's own module registered. */
    classpath: z.string().min(1).max(DEFERRAL_NAME_MAX),
    triggerKwargs: jsonObjectSchema,
    /** Maximum wait for the trigger; null = no limit. */
    timeoutSec: durationSecSchema.nullable(),
    nextMethod: z.string().min(1).max(DEFERRAL_NAME_MAX),
    nextKwargs: jsonObjectSchema,
    renderedFields: renderedFieldsSchema,
  }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

export const connectionSchema = z.object({
  connId: z.string(),
  connType: z.string(),
  description: z.string().nullable().default(null),
  host: z.string().nullable().default(null),
  schema: z.string().nullable().default(null),
  login: z.string().nullable().default(null),
  password: z.string().nullable().default(null),
  port: z.int().min(1).max(65535).nullable().default(null),
  extra: jsonObjectSchema.default({}),
});
export type Connection = z.infer<typeof connectionSchema>;

/**
 * The requests of a runner to its supervisor while a task runs, and their answers. The supervisor adds the token; the execution
 * API checks the rights of that try.
 */
export type RunnerCalls = {
  getXcom: {
    params: XcomRef & { includePriorDates: boolean };
    result: { found: boolean; value: z.infer<typeof jsonValueSchema> };
  };
  /**
   * The values of one key of all instances of a task, in the order of their map indexes, in pages: together they may be larger
   * than a message. `after`: the last map index received; null = from the start. `next`: where the next page starts, and in which
   * run, since with `includePriorDates` the first page selects the run; null = there are no more.
   */
  getXcomPage: {
    params: Omit<XcomRef, "mapIndex"> & { includePriorDates: boolean; after: number | null };
    result: { values: z.infer<typeof jsonValueSchema>[]; next: { runId: string; after: number } | null };
  };
  setXcom: { params: { key: string; value: z.infer<typeof jsonValueSchema> }; result: null };
  getConnection: { params: { connId: string }; result: Connection | null };
  getVariable: { params: { key: string }; result: { value: string } | null };
  setVariable: { params: { key: string; value: string; description: string | null }; result: null };
  deleteVariable: { params: { key: string }; result: null };
  /** `conflict`: a run with that id or logical date is there already, and `resetDagRun` was false. */
  triggerDagRun: {
    params: {
      dagId: string;
      runId: string | null;
      /** As the author wrote it, "now", or null for none. */
      logicalDate: string | null;
      conf: z.infer<typeof jsonObjectSchema>;
      resetDagRun: boolean;
      note: string | null;
    };
    /** `isPaused`: the DAG is paused, so the run waits until it is unpaused. */
    result: { runId: string; created: boolean; isPaused?: boolean };
  };
  getDagRunState: { params: { dagId: string; runId: string }; result: { state: DagRunState } | null };
  /** When the next scheduled run after this one is due; `runAfter` null = never. Null = there is no such run. */
  getNextRunAfter: { params: { dagId: string; runId: string }; result: { runAfter: string | null } | null };
  /** States of task instances in the runs that are selected by run ids or logical dates. */
  getTaskStates: {
    params: {
      dagId: string;
      taskIds: string[] | null;
      taskGroupId: string | null;
      logicalDates: string[] | null;
      runIds: string[] | null;
    };
    result: {
      dagExists: boolean;
      missingTaskIds: string[];
      runs: {
        runId: string;
        logicalDate: string | null;
        state: DagRunState;
        tasks: { taskId: string; mapIndex: number; state: TaskInstanceState | null }[];
      }[];
    };
  };
  /** Answered by the supervisor, which hides all texts and numbers in the value from then on. The API never sees it. */
  maskSecret: { params: { value: z.infer<typeof jsonValueSchema> }; result: null };
  putRenderedFields: { params: { fields: z.infer<typeof jsonObjectSchema> }; result: null };
};
export type RunnerMethod = keyof RunnerCalls;
/** The calls that the execution API answers. */
export type ForwardedMethod = Exclude<RunnerMethod, "maskSecret">;
