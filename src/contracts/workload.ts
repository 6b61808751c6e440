import { z } from "zod";
import { int4Schema, mapIndexSchema } from "./bound-schemas.ts";
import { idSchema, runIdSchema } from "./ids.ts";
import { jsonObjectSchema } from "./json.ts";

/**
 * Maximum size of a workload that every executor must support, in bytes of JSON (limited by a container's argv and a queue's
 * message size).
 */
export const WORKLOAD_MAX_BYTES = 8 * 1024;

/** One try of a task instance: everything that a worker needs, apart from the API's URL. */
export const executeTaskSchema = z.object({
  type: z.literal("ExecuteTask"),
  /** Valid for `run` only; the answer to `run` contains the token of the running try. */
  token: z.string(),
  ti: z.object({
    /** The try's id and fencing token (UUID); every new try gets a new one. */
    id: z.uuid(),
    dagId: idSchema,
    runId: runIdSchema,
    taskId: idSchema,
    mapIndex: mapIndexSchema,
    tryNumber: z.int().min(1),
    poolSlots: int4Schema.min(1),
    queue: z.string(),
    priorityWeight: z.int(),
    executorConfig: jsonObjectSchema,
  }),
  /** Hash of the module with the task's code: SHA-256, hex. */
  moduleHash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Path of the try's log, relative to the log folder. */
  logPath: z.string(),
});
export type ExecuteTask = z.infer<typeof executeTaskSchema>;

/** A callback that the platform runs instead of a task's runner: the DAG run has ended, or the try's worker died. */
export const executeCallbackSchema = z.object({
  type: z.literal("ExecuteCallback"),
  token: z.string(),
  callbackId: z.uuid(),
  moduleHash: z.string().regex(/^[0-9a-f]{64}$/),
  logPath: z.string(),
});
export type ExecuteCallback = z.infer<typeof executeCallbackSchema>;

/** What the platform gives to a runner. */
export type RunnerWorkload = ExecuteTask | ExecuteCallback;

/**
 * `baram executors check`: the worker calls the API and writes one line of log, without a runner. It belongs to no task, and its token
 * is good for nothing else.
 */
export const probeSchema = z.object({
  type: z.literal("Probe"),
  token: z.string(),
  probeId: z.uuid(),
  /** For an executor with queues. */
  queue: z.string(),
});
export type Probe = z.infer<typeof probeSchema>;

/** Relative to the log folder. */
export function probeLogPath(id: string): string {
  return `executor-check/${id}.log`;
}

/** The line of a probe's log, by which the API finds it. */
export function probeLogLine(id: string): string {
  return `this worker answers the check ${id} of its executor`;
}

export const workloadSchema = z.discriminatedUnion("type", [executeTaskSchema, executeCallbackSchema, probeSchema]);
export type Workload = z.infer<typeof workloadSchema>;

/** The id of the try, of the callback or of the probe. */
export function workloadId(workload: Workload): string {
  if (workload.type === "ExecuteTask") return workload.ti.id;
  return workload.type === "Probe" ? workload.probeId : workload.callbackId;
}
