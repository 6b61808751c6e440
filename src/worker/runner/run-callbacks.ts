import { toError } from "../../platform/index.ts";
import type { LogSink } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";

/** Runs callbacks in order; one that fails is logged, and neither stops the others nor changes any state. */
export async function runCallbacks<C>(
  name: string,
  callbacks: readonly ((ctx: C) => unknown)[],
  ctx: C,
  log: LogSink,
): Promise<{ ran: number; failed: number }> {
  let failed = 0;
  for (const callback of callbacks) {
    try {
      await callback(ctx);
    } catch (thrown) {
      failed += 1;
      const error = describeError(toError(thrown));
      log({ level: "error", message: `the ${name} callback failed: ${error.name}: ${error.message}`, facts: { error } });
    }
  }
  return { ran: callbacks.length, failed };
}
