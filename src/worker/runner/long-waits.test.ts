// Waits beyond the 24.8 days that Node's own timers keep.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { define, failureOf, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import { sensor } from "../../operators/index.ts";
import { defer, FileTrigger, type TaskContext, task } from "../../sdk/index.ts";
import { boundExecution } from "./bound-execution.ts";

const DAY_MS = 86_400_000;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("an executionTimeout of 25 days ends the work after 25 days, and not before", async () => {
  let failure: unknown = null;
  const limits = { outer: new AbortController().signal, timeoutSec: 25 * 86_400, graceMs: 1_000 };
  const running = boundExecution(() => new Promise(() => {}), limits).catch((error: unknown) => {
    failure = error;
  });
  await vi.advanceTimersByTimeAsync(25 * DAY_MS);
  expect(failure).toBe(null);
  await vi.advanceTimersByTimeAsync(1_000);
  await running;
  expect(failure).toMatchObject({ name: "TaskTimeoutError" });
});

test("ctx.sleep of 25 days sleeps for 25 days", async () => {
  const definition = define(
    () =>
      void task({ taskId: "t" }, async (ctx) => {
        const from = Date.now();
        await ctx.sleep("25d");
        return Date.now() - from;
      })(),
  );
  const running = runOneTask(definition);
  await vi.advanceTimersByTimeAsync(26 * DAY_MS);
  expect(returnValue((await running).outcome)).toBe(25 * DAY_MS);
});

test("a sensor that is to look every 50 days looks every 50 days", async () => {
  const looks: number[] = [];
  const from = Date.now();
  const definition = define(
    () =>
      void sensor({ taskId: "wait", pokeInterval: { days: 50 }, timeout: "200w" }, () => {
        looks.push((Date.now() - from) / DAY_MS);
        return looks.length === 3 ? { done: true, value: "found" } : false;
      })(),
  );
  const running = runOneTask(definition);
  await vi.advanceTimersByTimeAsync(101 * DAY_MS);
  expect(returnValue((await running).outcome)).toBe("found");
  expect(looks).toEqual([0, 50, 100]);
});

test.each([
  ["sleeps", (ctx: TaskContext) => ctx.sleep({ days: 999_999_999_999 })],
  ["defers", () => defer({ trigger: new FileTrigger({ path: "/x" }), timeout: { days: 999_999_999_999 } })],
])("a task that %s for longer than any duration fails, and is told the bound", async (_name, wait) => {
  const definition = define(() => void task({ taskId: "t" }, async (ctx) => await wait(ctx))());
  expect(failureOf((await runOneTask(definition)).outcome).error.message).toContain("longer than 100 years");
});
