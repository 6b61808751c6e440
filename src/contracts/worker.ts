import { z } from "zod";
import { countSchema, int4Schema } from "./bound-schemas.ts";
import { storableTextSchema } from "./storable.ts";

export const queueNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,200}$/, "a queue's name has letters, digits, _ . and - only, 200 at most");
export const workerNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.@-]{1,200}$/, "a worker's name has letters, digits, _ . @ and - only, 200 at most");

/** What a worker says of itself, first and with every heartbeat. */
export const workerReportSchema = z.object({
  /** Of this process; a worker started again under the same name is another one. */
  instance: z.uuid(),
  hostname: storableTextSchema(255),
  pid: int4Schema,
  version: storableTextSchema(100),
  queues: z.array(queueNameSchema).max(100),
  concurrency: countSchema(0),
  active: countSchema(0),
  state: z.enum(["running", "draining", "offline"]),
  /** The instance that had the name, and whose process on the same machine is found dead. */
  takesOver: z.uuid().nullable(),
});
export type WorkerReport = z.infer<typeof workerReportSchema>;

/**
 * `isYours`: what people want of the worker; `queues` null = nothing but what it was started with. Else who has the name,
 * and how long nothing was heard of that one.
 */
export const workerAnswerSchema = z.discriminatedUnion("isYours", [
  z.object({ isYours: z.literal(true), queues: z.array(z.string()).nullable(), shutdown: z.boolean() }),
  z.object({
    isYours: z.literal(false),
    holder: z.object({ instance: z.uuid(), hostname: z.string(), pid: z.int(), silentForSec: z.number() }),
  }),
]);
export type WorkerAnswer = z.infer<typeof workerAnswerSchema>;
