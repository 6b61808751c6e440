import { z } from "zod";
import { countSchema, int4Schema } from "./bound-schemas.ts";
import { storableTextSchema } from "./storable.ts";

export const queueNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,200}$/, "a queue's name has letters, digits, _ . and - only, 200 at most");
export const workerNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.@-]{1,200}$/, "a worker's name has letters, digits, _ . @ and - only, 200 at most");
/**
 * What a worker token grants: one worker's name, or with a trailing `*` all names that begin with the rest, for workers that a machine
 * makes. No worker's name has a `*`.
 */
export const workerGrantSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_.@-]{1,200}\*?$/,
    "a worker token is for one worker's name (letters, digits, _ . @ and - only, 200 at most), or for all names that begin with it: then it ends with *",
  );

export function isGranted(grant: string, name: string): boolean {
  return grant.endsWith("*") ? name.startsWith(grant.slice(0, -1)) && grant.length > 1 : grant === name;
}

/** A worker's report about itself, sent at its start and with every heartbeat. */
export const workerReportSchema = z.object({
  /** Id of this process; a worker that is restarted under the same name has a new one. */
  instance: z.uuid(),
  hostname: storableTextSchema(255),
  pid: int4Schema,
  version: storableTextSchema(100),
  queues: z.array(queueNameSchema).max(100),
  concurrency: countSchema(0),
  active: countSchema(0),
  state: z.enum(["running", "draining", "offline"]),
  /** The previous instance with this name, if its process ran on the same machine and is dead. */
  takesOver: z.uuid().nullable(),
});
export type WorkerReport = z.infer<typeof workerReportSchema>;

/**
 * `isYours`: the requested changes to the worker; `queues` null = no change to the queues it was started with. Otherwise the
 * holder of the name, and how long ago its last heartbeat was.
 */
export const workerAnswerSchema = z.discriminatedUnion("isYours", [
  z.object({ isYours: z.literal(true), queues: z.array(z.string()).nullable(), shutdown: z.boolean() }),
  z.object({
    isYours: z.literal(false),
    holder: z.object({ instance: z.uuid(), hostname: z.string(), pid: z.int(), silentForSec: z.number() }),
  }),
]);
export type WorkerAnswer = z.infer<typeof workerAnswerSchema>;
