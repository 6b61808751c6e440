import { z } from "zod";
import { durationSecSchema, jsonObjectSchema, logRecordShape, outcomeSchema } from "../../contracts/index.ts";

/** Why a runner serves no further try: the runner truncates it. */
export const SPENT_REASON_MAX = 1_000;
const reasonSchema = z.string().max(SPENT_REASON_MAX);
const pidSchema = z.int().min(0);
const callSchema = z.int().min(0);

/**
 * What a supervisor accepts from a runner. A message that does not match closes the wire, which ends that process and fails its
 * try. The parameters of a call are checked by the execution API, which knows the method.
 */
export const fromRunnerSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("log"), ...logRecordShape }),
  z.object({ type: z.literal("call"), call: callSchema, method: z.string().min(1).max(100), params: jsonObjectSchema }),
  z.object({ type: z.literal("stopping"), outcome: outcomeSchema, limitSec: durationSecSchema.nullable() }),
  z.object({ type: z.literal("outcome"), outcome: outcomeSchema, endsProcess: z.boolean(), spawnedSince: pidSchema.nullable() }),
  z.object({
    type: z.literal("idle"),
    rssBytes: z.int().min(0),
    spent: reasonSchema.nullable(),
    spawnedSince: pidSchema.nullable(),
  }),
  z.object({ type: z.literal("spent"), reason: reasonSchema }),
]);
/** A message as it was received: the parameters of a call are not checked yet. */
export type ReceivedFromRunner = z.infer<typeof fromRunnerSchema>;
