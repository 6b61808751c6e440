import {
  FAIL_METHOD,
  isBuiltinTrigger,
  type Outcome,
  type Resume,
  type TriggerEnd,
  type TriggerTask,
} from "../../contracts/index.ts";
import { sleep, toError } from "../../platform/index.ts";
import { type DagDefinition, triggersOf } from "../../sdk/runtime.ts";
import { createTriggerContext, runUserTrigger } from "../../triggerer/child/index.ts";
import { runBuiltin, type TriggerCaller } from "../../triggerer/index.ts";
import type { LogSink } from "../../worker/runner/index.ts";

type Deferral = Extract<Outcome, { state: "deferred" }>;
export type TriggerHere = { task: TriggerTask; call: TriggerCaller; log: LogSink; signal: AbortSignal; hasTimeouts: boolean };

/** Runs a deferred task's trigger in this process, as a triggerer does; never rejects. The result is how the task continues. */
export async function runTriggerHere(definition: DagDefinition, deferral: Deferral, here: TriggerHere): Promise<Resume> {
  const stop = new AbortController();
  const signal = AbortSignal.any([here.signal, stop.signal]);
  const timeoutSec = here.hasTimeouts ? deferral.timeoutSec : null;
  const late = timeoutSec === null ? new Promise<never>(() => {}) : sleep(Math.min(timeoutSec * 1_000, 2 ** 31 - 1), signal);
  try {
    const end = await Promise.race([runHere(definition, deferral, { ...here, signal }), late]);
    if (here.signal.aborted) return failed("failed", "the test was stopped");
    return end === undefined ? failed("timeout", `the trigger did not fire within ${timeoutSec} s`) : resumeOf(end, deferral);
  } catch (error) {
    return failed("failed", `the trigger failed: ${toError(error).message}`);
  } finally {
    stop.abort();
  }
}

async function runHere(
  definition: DagDefinition,
  { classpath, triggerKwargs }: Deferral,
  here: TriggerHere,
): Promise<TriggerEnd> {
  const { task, call, signal } = here;
  const { log } = here;
  if (isBuiltinTrigger(classpath))
    return runBuiltin(classpath, triggerKwargs, {
      signal,
      now: Date.now,
      call,
      log: (level, message) => log({ level, message }),
    });
  const trigger = triggersOf(definition).get(classpath);
  if (trigger === undefined) throw new Error(`the DAG file registers no trigger "${classpath}"`);
  const end = await runUserTrigger(new trigger(triggerKwargs), createTriggerContext({ task, signal, call, log }));
  if (end === null) throw new Error("it was stopped");
  return end;
}

function resumeOf(end: TriggerEnd, { nextMethod, nextKwargs }: Deferral): Resume {
  switch (end.kind) {
    case "event":
      return { method: nextMethod, kwargs: nextKwargs, event: end.payload, failure: null };
    case "failed":
      return failed("failed", `the trigger failed: ${end.message}`);
    case "task":
      return failed("failed", `the trigger ends its task as ${end.state} (${end.reason}), which a test cannot show`);
  }
}

function failed(kind: "timeout" | "failed", message: string): Resume {
  return { method: FAIL_METHOD, kwargs: {}, event: null, failure: { kind, message } };
}
