import { toError } from "../../platform/index.ts";
import { BaseNotifier, type NotifierContext } from "../../sdk/index.ts";
import { renderOptions } from "./render-options.ts";
import type { LogSink, RunnerCaller } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";

/** Runs callbacks and notifiers in order; one that fails is logged, and neither stops the others nor changes any state. */
export async function runCallbacks<C extends NotifierContext>(
  name: string,
  callbacks: readonly (((ctx: C) => unknown) | BaseNotifier)[],
  ctx: C,
  caller: RunnerCaller,
  log: LogSink,
): Promise<{ ran: number; failed: number }> {
  let failed = 0;
  for (const callback of callbacks) {
    try {
      if (callback instanceof BaseNotifier) await notify(callback, ctx, caller);
      else await callback(ctx);
    } catch (thrown) {
      failed += 1;
      const error = describeError(toError(thrown));
      const what = callback instanceof BaseNotifier ? `${callback.name} of ${name}` : `the ${name} callback`;
      log({ level: "error", message: `${what} failed: ${error.name}: ${error.message}`, facts: { error } });
    }
  }
  return { ran: callbacks.length, failed };
}

async function notify(notifier: BaseNotifier, ctx: NotifierContext, caller: RunnerCaller): Promise<void> {
  await notifier
    .withOptions(await renderOptions(notifier, notifier.options, { ctx, groupElements: async () => [] }, caller))
    .notify(ctx);
}
