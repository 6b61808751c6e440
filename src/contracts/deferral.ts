import { z } from "zod";
import { XCOM_KEY_MAX } from "./bounds/index.ts";
import { jsonObjectSchema, jsonValueSchema } from "./json.ts";

/** Prefix of the names of built-in triggers; a DAG file cannot register a trigger with it. */
export const BUILTIN_TRIGGER_PREFIX = "baram.triggers.";

export const BuiltinTrigger = {
  DateTime: `${BUILTIN_TRIGGER_PREFIX}DateTimeTrigger`,
  File: `${BUILTIN_TRIGGER_PREFIX}FileTrigger`,
  ExternalTask: `${BUILTIN_TRIGGER_PREFIX}ExternalTaskTrigger`,
  Http: `${BUILTIN_TRIGGER_PREFIX}HttpTrigger`,
} as const;

export function isBuiltinTrigger(classpath: string): boolean {
  return classpath.startsWith(BUILTIN_TRIGGER_PREFIX);
}

/** `method` of a try that continues only to fail, since its trigger failed or timed out. As in Airflow. */
export const FAIL_METHOD = "__fail__";

/** How a try continues after its trigger. */
export const resumeSchema = z.object({
  /** The operator's method that is called; FAIL_METHOD with `failure`. */
  method: z.string(),
  kwargs: jsonObjectSchema,
  event: jsonValueSchema,
  failure: z.object({ kind: z.enum(["timeout", "failed"]), message: z.string() }).nullable(),
});
export type Resume = z.infer<typeof resumeSchema>;

/** The task instance that waits for the trigger. */
export const triggerTaskSchema = z.object({
  dagId: z.string(),
  runId: z.string(),
  taskId: z.string(),
  mapIndex: z.int(),
  tryNumber: z.int(),
});
export type TriggerTask = z.infer<typeof triggerTaskSchema>;

/** The triggerer truncates it much further when it stores it. */
const endTextSchema = z.string().max(1_000_000);

/**
 * How a trigger ended. `event`: the task continues. `failed`: the task continues only to fail. `task`: the task ends in this
 * state without running on a worker again.
 */
export const triggerEndSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("event"), payload: jsonValueSchema }),
  z.object({ kind: z.literal("failed"), message: endTextSchema }),
  z.object({
    kind: z.literal("task"),
    state: z.enum(["success", "failed", "skipped"]),
    reason: endTextSchema,
    xcoms: z.array(z.object({ key: z.string().min(1).max(XCOM_KEY_MAX), value: jsonValueSchema })),
  }),
]);
export type TriggerEnd = z.infer<typeof triggerEndSchema>;
