import { z } from "zod";
import { dagRunFactsSchema } from "./execution.ts";
import { idSchema } from "./ids.ts";

/** The try that a task's callback is about. Instants are ISO 8601 in UTC. */
const callbackTaskFactsSchema = z.object({
  /** The id of the try. */
  id: z.uuid(),
  taskId: idSchema,
  mapIndex: z.int().min(-1),
  tryNumber: z.int().min(1),
  maxTries: z.int(),
  startDate: z.string().nullable(),
});

/**
 * A callback that the platform runs, as the runner receives it: the DAG run has ended, or a task's try has ended without its
 * runner (its worker died). `reason` is passed to the callback.
 */
export const callbackRequestSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("dag"),
    callback: z.enum(["onSuccess", "onFailure"]),
    dagRun: dagRunFactsSchema,
    reason: z.string(),
  }),
  z.object({
    kind: z.literal("task"),
    callback: z.enum(["onSuccess", "onFailure", "onRetry", "onSkipped"]),
    dagRun: dagRunFactsSchema,
    ti: callbackTaskFactsSchema,
    reason: z.string(),
  }),
]);
export type CallbackRequest = z.infer<typeof callbackRequestSchema>;
