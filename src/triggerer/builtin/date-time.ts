import { z } from "zod";
import { instantTextSchema, type TriggerEnd } from "../../contracts/index.ts";
import { type BuiltinContext, sleepUntil } from "./builtin-context.ts";

const kwargsSchema = z.object({ moment: instantTextSchema });

/** A timer of the event loop; nothing is polled in between. */
export async function runDateTime(kwargs: unknown, ctx: BuiltinContext): Promise<TriggerEnd> {
  const { moment } = kwargsSchema.parse(kwargs);
  await sleepUntil(Date.parse(moment), ctx);
  return { kind: "event", payload: moment };
}
