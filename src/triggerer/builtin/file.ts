import { z } from "zod";
import { durationSecSchema, type TriggerEnd } from "../../contracts/index.ts";
import { findFile } from "../../platform/index.ts";
import { type BuiltinContext, createGate, poll } from "./builtin-context.ts";

const kwargsSchema = z.object({
  path: z.string().min(1),
  recursive: z.boolean().default(false),
  pollIntervalSec: durationSecSchema.min(0.05).default(5),
});

/** Thousands of concurrent file checks would occupy all threads of the process's pool. */
const gate = createGate(8);

export async function runFile(kwargs: unknown, ctx: BuiltinContext): Promise<TriggerEnd> {
  const { path, recursive, pollIntervalSec } = kwargsSchema.parse(kwargs);
  const found = await poll(ctx, pollIntervalSec, () => gate(() => findFile(path, recursive)));
  return { kind: "event", payload: { path: found } };
}
