import { z } from "zod";
import { jsonObjectSchema, jsonValueSchema, logRecordShape } from "../../contracts/index.ts";
import { TRIGGER_METHODS } from "../contract.ts";

const idSchema = z.int().min(0);

/**
 * What a triggerer accepts from a process with triggers. A message that does not match closes the wire and ends the process; its
 * triggers start again apart from each other, so that the one that sent it is found. An end is checked by itself, since it is known
 * whose it is: only that trigger fails. Parameters of calls are checked where they are answered.
 */
export const fromChildSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("loaded"), modulePath: z.string().max(4_096) }),
  z.object({ type: z.literal("end"), id: idSchema, end: jsonValueSchema }),
  z.object({ type: z.literal("stopped"), id: idSchema }),
  z.object({ type: z.literal("log"), id: idSchema, ...logRecordShape }),
  z.object({ type: z.literal("blocked"), blockedMs: z.number().min(0) }),
  z.object({
    type: z.literal("call"),
    call: z.int().min(0),
    id: idSchema,
    method: z.enum(TRIGGER_METHODS),
    params: jsonObjectSchema,
  }),
]);
export type ReceivedFromChild = z.infer<typeof fromChildSchema>;
