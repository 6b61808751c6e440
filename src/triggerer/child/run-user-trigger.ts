import type { TriggerEnd } from "../../contracts/index.ts";
import { errorText, sleep } from "../../platform/index.ts";
import {
  type BaseTrigger,
  TaskFailedEvent,
  TaskSkippedEvent,
  TaskSuccessEvent,
  type TriggerContext,
  TriggerEvent,
} from "../../sdk/index.ts";
import { findJsonFault } from "../../sdk/runtime.ts";

const CLEANUP_MS = 5_000;

/**
 * Runs a trigger until its first event, its failure or an abort of `ctx.signal`, and then its `cleanup`. null = aborted, without an
 * event. A trigger that ignores the signal is abandoned; its later events are ignored.
 */
export async function runUserTrigger(
  trigger: BaseTrigger<object>,
  ctx: TriggerContext,
  cleanupMs = CLEANUP_MS,
): Promise<TriggerEnd | null> {
  const { signal } = ctx;
  const aborted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    const event = await Promise.race([firstEvent(trigger, ctx), aborted]);
    return event === null || signal.aborted ? null : endOf(event);
  } catch (error) {
    return signal.aborted ? null : { kind: "failed", message: errorText(error) };
  } finally {
    await Promise.race([Promise.resolve(trigger.cleanup()), sleep(cleanupMs)]).catch((error: unknown) =>
      ctx.logger.warn(`the trigger's cleanup failed: ${errorText(error)}`),
    );
  }
}

async function firstEvent(trigger: BaseTrigger<object>, ctx: TriggerContext): Promise<unknown> {
  const running = trigger.run(ctx);
  if (!(Symbol.asyncIterator in running)) return running;
  const iterator = running[Symbol.asyncIterator]();
  // A generator that waits in its `finally` must not delay the event or the abort.
  const leave = () =>
    void Promise.resolve(iterator.return?.()).catch((error: unknown) =>
      ctx.logger.warn(`the trigger failed while it was left: ${errorText(error)}`),
    );
  ctx.signal.addEventListener("abort", leave, { once: true });
  const { done, value } = await iterator.next();
  if (done && value === undefined) throw new Error("the trigger ended without an event");
  leave();
  return value;
}

function endOf(event: unknown): TriggerEnd {
  if (event instanceof TaskSuccessEvent) {
    const xcoms = Object.entries(event.xcoms).map(([key, value]) => ({ key, value }));
    return checked(event.xcoms) ?? { kind: "task", state: "success", reason: "the trigger ended the task", xcoms };
  }
  if (event instanceof TaskFailedEvent) return { kind: "task", state: "failed", reason: event.reason, xcoms: [] };
  if (event instanceof TaskSkippedEvent) return { kind: "task", state: "skipped", reason: event.reason, xcoms: [] };
  if (event instanceof TriggerEvent) return checked(event.payload) ?? { kind: "event", payload: event.payload };
  return {
    kind: "failed",
    message: `the trigger gave ${typeof event === "object" ? "an object" : String(event)} where a TriggerEvent is expected`,
  };
}

function checked(payload: unknown): TriggerEnd | null {
  const fault = findJsonFault(payload);
  return fault === undefined ? null : { kind: "failed", message: `the trigger's event${fault.path} is ${fault.fault}` };
}
