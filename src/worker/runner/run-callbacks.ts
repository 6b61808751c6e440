import { type Masker, toError } from "../../platform/index.ts";
import { BaseNotifier, type NotifierContext } from "../../sdk/index.ts";
import { renderOptions } from "./render-options.ts";
import type { LogSink, RunnerCaller } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";

type Resources = { caller: RunnerCaller; masker: Masker; log: LogSink };

/** Runs callbacks and notifiers in order; one that fails is logged, and neither stops the others nor changes any state. */
export async function runCallbacks<C extends NotifierContext>(
  name: string,
  callbacks: readonly (((ctx: C) => unknown) | BaseNotifier)[],
  given: C,
  { caller, masker, log }: Resources,
): Promise<{ ran: number; failed: number }> {
  const ctx = { ...given, reason: masker.mask(given.reason) };
  let failed = 0;
  for (const callback of callbacks) {
    try {
      if (callback instanceof BaseNotifier) await notify(callback, { ...ctx, error: maskError(ctx.error, masker) }, caller);
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

/** What a notifier tells about the error goes to a channel or a mailbox, where no secret belongs. */
function maskError(error: Error | undefined, masker: Masker): Error | undefined {
  if (error === undefined) return undefined;
  const { name, message, stack } = describeError(error);
  const shown = new Error(masker.mask(message));
  shown.name = masker.mask(name);
  shown.stack = masker.mask(stack ?? `${name}: ${message}`);
  return shown;
}
