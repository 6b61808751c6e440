import { z } from "zod";
import { dagDefaultsSchema, planSeedSchema } from "../../contracts/index.ts";

/**
 * Parent → child: evaluate the module at this path with the installation's defaults, and plan its custom timetables from `now`
 * (epoch ms) on. `seeds` are the newest automatic runs by dagId.
 */
export const evaluateRequestSchema = z.object({
  id: z.int(),
  modulePath: z.string(),
  defaults: dagDefaultsSchema,
  seeds: z.record(z.string(), planSeedSchema),
  now: z.number(),
});
export type EvaluateRequest = z.infer<typeof evaluateRequestSchema>;

/** The child truncates longer texts of an author's. */
export const TEXT_MAX = 1_000_000;
const textSchema = z.string().max(TEXT_MAX);

const thrownSchema = z.object({ name: textSchema, message: textSchema, stack: textSchema.nullable() });

/**
 * Child → parent. `leaks` names changes that the file left in the process; `looseEnds` names objects that it created for a DAG
 * and used in none. The parent validates `dags` and `plans` (by dagId).
 */
export const childMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({
    type: z.literal("dags"),
    id: z.int(),
    dags: z.array(z.unknown()),
    plans: z.record(z.string(), z.unknown()),
    leaks: z.array(textSchema),
    looseEnds: z.array(z.object({ message: textSchema, stack: textSchema })),
  }),
  z.object({ type: z.literal("threw"), id: z.int(), error: thrownSchema }),
  /** `process.exit` was called: sent while the process exits, with the stack of the caller. */
  z.object({ type: z.literal("exiting"), id: z.int().nullable(), code: z.int(), stack: textSchema.nullable() }),
]);
export type ChildMessage = z.infer<typeof childMessageSchema>;
export type Thrown = z.infer<typeof thrownSchema>;
