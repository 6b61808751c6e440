import { z } from "zod";

/** Parent → child: evaluate the module at this path. */
export const evaluateRequestSchema = z.object({ id: z.int(), modulePath: z.string() });
export type EvaluateRequest = z.infer<typeof evaluateRequestSchema>;

const thrownSchema = z.object({ name: z.string(), message: z.string(), stack: z.string().nullable() });

/** Child → parent. `leaks` names what the file left behind in the process; `dags` are checked by the parent. */
export const childMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("dags"), id: z.int(), dags: z.array(z.unknown()), leaks: z.array(z.string()) }),
  z.object({ type: z.literal("threw"), id: z.int(), error: thrownSchema }),
  /** `process.exit` was called: sent on the way out, with the stack of the caller. */
  z.object({ type: z.literal("exiting"), id: z.int().nullable(), code: z.int(), stack: z.string().nullable() }),
]);
export type ChildMessage = z.infer<typeof childMessageSchema>;
export type Thrown = z.infer<typeof thrownSchema>;
