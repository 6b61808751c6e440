import { z } from "zod";
import { countSchema, durationSecSchema, poolSlotsSchema, positiveSecSchema, weightSchema } from "./bound-schemas.ts";
import { emailAddressSchema } from "./email.ts";
import { idSchema } from "./ids.ts";
import { jsonObjectSchema, jsonValueSchema } from "./json.ts";
import { serializedMappingSchema } from "./mapping.ts";
import { TriggerRule, WeightRule } from "./states.ts";
import { timetableSchema } from "./timetable.ts";

/**
 * The contract form of a DAG: everything that the scheduler, the API and the CLI know of a DAG file. It contains only data; user
 * code is in the module that the version's `moduleHash` names. Durations are in seconds, instants are ISO 8601 with an offset.
 */
export const SERIALIZED_DAG_VERSION = 1;

/** An XCom that a task's arguments need, so that the answer to `run` can include it. */
export const taskInputSchema = z.object({ taskId: idSchema, key: z.string() });

export const callbackFlagsSchema = z.object({
  onExecute: z.boolean().default(false),
  onSuccess: z.boolean().default(false),
  onFailure: z.boolean().default(false),
  onRetry: z.boolean().default(false),
  onSkipped: z.boolean().default(false),
});

export const serializedTaskSchema = z.object({
  taskId: idSchema,
  /** The operator's class name, or `task` for a function task: shown in lists, e.g. "BashOperator". */
  operator: z.string(),
  kind: z.enum(["function", "operator", "sensor"]),
  /** No work to run: the scheduler sets the task to success itself (EmptyOperator without callbacks). */
  isEmpty: z.boolean().default(false),
  /** Direct upstream task ids, sorted. */
  upstream: z.array(idSchema),
  inputs: z.array(taskInputSchema).default([]),
  /** Set for a mapped task; null for the tasks of a mapped group, whose group has the mapping. */
  mapping: serializedMappingSchema.nullable().default(null),
  taskGroupId: z.string().nullable().default(null),
  displayName: z.string().nullable().default(null),
  docMd: z.string().nullable().default(null),
  owner: z.string().default("baram"),
  triggerRule: z.enum(TriggerRule).default("all_success"),
  retries: countSchema(0).default(0),
  retryDelaySec: durationSecSchema.default(300),
  /** 0 = constant delay; otherwise the factor by which the delay grows with each try. */
  retryExponentialBackoff: z.number().min(0).default(0),
  maxRetryDelaySec: durationSecSchema.nullable().default(null),
  executionTimeoutSec: positiveSecSchema.nullable().default(null),
  priorityWeight: weightSchema.default(1),
  weightRule: z.enum(WeightRule).default("downstream"),
  pool: z.string().default("default_pool"),
  poolSlots: poolSlotsSchema.default(1),
  queue: z.string().default("default"),
  /** Name or alias of a configured executor; null = the default one. */
  executor: z.string().nullable().default(null),
  executorConfig: jsonObjectSchema.default({}),
  dependsOnPast: z.boolean().default(false),
  waitForDownstream: z.boolean().default(false),
  ignoreFirstDependsOnPast: z.boolean().default(true),
  /** A task that would be skipped waits for its previous run first, so that a later run can rely on it. */
  waitForPastDependsBeforeSkipping: z.boolean().default(false),
  maxActiveTisPerDag: countSchema(1).nullable().default(null),
  maxActiveTisPerDagrun: countSchema(1).nullable().default(null),
  /** Whether deferred instances count towards both limits, as in a pool that includes them. */
  maxActiveTisIncludeDeferred: z.boolean().default(false),
  isSetup: z.boolean().default(false),
  isTeardown: z.boolean().default(false),
  onFailureFailDagrun: z.boolean().default(false),
  /** Recipients of emails about failed tries. */
  email: z.array(emailAddressSchema).default([]),
  /** null = the deployment's default. */
  emailOnFailure: z.boolean().nullable().default(null),
  emailOnRetry: z.boolean().nullable().default(null),
  sensorMode: z.enum(["poke", "reschedule", "deferrable"]).nullable().default(null),
  startDate: z.string().nullable().default(null),
  endDate: z.string().nullable().default(null),
  templateFields: z.array(z.string()).default([]),
  /** The values of the template fields as written in the file, for display; functions and non-JSON values are left out. */
  templateFieldValues: jsonObjectSchema.default({}),
  callbacks: callbackFlagsSchema.prefault({}),
});
export type SerializedTask = z.infer<typeof serializedTaskSchema>;

export const serializedTaskGroupSchema = z.object({
  groupId: z.string(),
  parentGroupId: z.string().nullable(),
  label: z.string(),
  tooltip: z.string().default(""),
  mapping: serializedMappingSchema.nullable().default(null),
});
export type SerializedTaskGroup = z.infer<typeof serializedTaskGroupSchema>;

export const serializedParamSchema = z.object({
  /** Default value; absent = required. */
  value: jsonValueSchema.optional(),
  description: z.string().nullable().default(null),
  /** JSON schema of the value, draft 2020-12; `{}` allows anything. */
  schema: jsonObjectSchema.default({}),
});
export type SerializedParam = z.infer<typeof serializedParamSchema>;

export const serializedDagSchema = z.object({
  schemaVersion: z.literal(SERIALIZED_DAG_VERSION),
  dagId: idSchema,
  displayName: z.string().nullable().default(null),
  description: z.string().nullable().default(null),
  docMd: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  owners: z.array(z.string()).default([]),
  timezone: z.string().default("UTC"),
  timetable: timetableSchema,
  /** The schedule as the author wrote it, for display: "0 0 * * *", "@daily", "5m", null. */
  scheduleSummary: z.string().nullable().default(null),
  startDate: z.string().nullable().default(null),
  endDate: z.string().nullable().default(null),
  catchup: z.boolean().default(false),
  maxActiveRuns: countSchema(1).default(16),
  maxActiveTasks: countSchema(1).default(16),
  maxConsecutiveFailedDagRuns: countSchema(0).default(0),
  dagrunTimeoutSec: positiveSecSchema.nullable().default(null),
  failFast: z.boolean().default(false),
  isPausedUponCreation: z.boolean().nullable().default(null),
  params: z.record(z.string(), serializedParamSchema).default({}),
  hasOnSuccessCallback: z.boolean().default(false),
  hasOnFailureCallback: z.boolean().default(false),
  /** Sorted by task id. */
  tasks: z.array(serializedTaskSchema),
  taskGroups: z.array(serializedTaskGroupSchema).default([]),
});
export type SerializedDag = z.infer<typeof serializedDagSchema>;
