import type { Resume } from "../../contracts/index.ts";
import { sleep } from "../../platform/index.ts";
import { FailError, type PokeResult, SkipError, type TaskContext } from "../../sdk/index.ts";
import { type BaseSensor, type SensorTiming, TaskDeferred } from "../../sdk/runtime.ts";
import { failureOfResume } from "./deferral.ts";
import {
  SensorTimeoutError,
  TaskAbortedError,
  TaskTimeoutError,
  TriggerFailureError,
  TriggerTimeoutError,
} from "./task-failure.ts";

/** How a sensor's turn on a worker ended: the wait is over, or it pokes again at `rescheduleAtMs`. */
export type SensorTurn = { done: true; value: unknown } | { done: false; rescheduleAtMs: number };

/**
 * Runs a sensor. In poke mode it pokes until the wait is over; in reschedule mode it pokes once; in deferrable mode it pokes once
 * and then waits for its trigger. The timeout counts from the try's first start, over reschedules and deferrals; the last poke is
 * made when it is reached, however long the interval. @throws SensorTimeoutError; with `softFail`, SkipError for it and for
 * FailErrors and timeouts of the sensor itself.
 */
export async function runSensor(
  sensor: BaseSensor<object, unknown, never>,
  ctx: TaskContext,
  facts: {
    startMs: number;
    rescheduleCount: number;
    executionTimeoutSec: number | null;
    resume: Resume | null;
    now: () => number;
  },
): Promise<SensorTurn> {
  const { timing } = sensor;
  try {
    if (facts.resume !== null) {
      const answer = toAnswer(await takeEvent(sensor, ctx, facts.resume, facts.executionTimeoutSec));
      if (answer.done) return { done: true, value: answer.value };
    }
    for (let look = facts.rescheduleCount; ; look += 1) {
      const answer = toAnswer(await sensor.poke(ctx));
      if (answer.done) return { done: true, value: answer.value };
      if (ctx.signal.aborted) throw ctx.signal.reason instanceof Error ? ctx.signal.reason : new TaskAbortedError();
      const remainingMs = facts.startMs + timing.timeoutSec * 1000 - facts.now();
      if (remainingMs <= 0) throw new SensorTimeoutError(timing.timeoutSec);
      if (timing.mode === "deferrable") {
        if (sensor.createTrigger === undefined) throw new FailError(`${sensor.operatorName} has no createTrigger()`);
        throw new TaskDeferred({ trigger: await sensor.createTrigger(ctx), timeout: { milliseconds: remainingMs } });
      }
      const waitMs = Math.min(intervalMs(timing, look), remainingMs);
      if (timing.mode === "reschedule") return { done: false, rescheduleAtMs: facts.now() + waitMs };
      await sleep(waitMs, ctx.signal);
    }
  } catch (error) {
    const isSoft =
      error instanceof SensorTimeoutError ||
      error instanceof FailError ||
      error instanceof TaskTimeoutError ||
      error instanceof TriggerFailureError;
    if (timing.softFail && isSoft) throw new SkipError(`skipped by softFail: ${error.message}`, error);
    throw error;
  }
}

async function takeEvent(
  sensor: BaseSensor<object, unknown, never>,
  ctx: TaskContext,
  resume: Resume,
  limitSec: number | null,
): Promise<PokeResult<unknown>> {
  // Both timeouts count from the try's first start, so the shorter one ended the wait, whatever this machine's clock says.
  const usedSec = limitSec !== null && limitSec <= sensor.timing.timeoutSec ? limitSec : 0;
  const failure = failureOfResume(resume, { limitSec, usedSec });
  // The trigger's timeout is the sensor's: another try could not succeed after it.
  if (failure instanceof TriggerTimeoutError) throw new SensorTimeoutError(sensor.timing.timeoutSec);
  if (failure !== null) throw failure;
  return sensor.executeComplete(ctx, resume.event);
}

function intervalMs(timing: SensorTiming, look: number): number {
  const factor = timing.exponentialBackoff ? 2 ** Math.min(look, 40) : 1;
  const longestSec = timing.exponentialBackoff ? (timing.maxWaitSec ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  return Math.min(timing.pokeIntervalSec * factor, longestSec) * 1000;
}

function toAnswer(result: PokeResult<unknown>): { done: boolean; value?: unknown } {
  return typeof result === "object" && result !== null ? result : { done: Boolean(result) };
}
