import { describe, expect, it } from "vitest";
import { define, failureOf, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import { sensor } from "../../operators/index.ts";
import { BaseSensor, DateTimeTrigger, FailError, type SensorOptions } from "../../sdk/index.ts";

const startMs = Date.parse("2024-01-31T00:00:02Z");
const defineSensor = (options: SensorOptions, poke: () => boolean | { done: boolean; value?: string }) =>
  define(() => void sensor({ taskId: "wait", ...options }, poke)());

describe("a sensor", () => {
  it("in poke mode looks until it is done, and returns the value", async () => {
    let looks = 0;
    const definition = defineSensor({ pokeInterval: "1ms" }, () => {
      looks += 1;
      return looks < 3 ? false : { done: true, value: "found" };
    });
    expect(returnValue((await runOneTask(definition)).outcome)).toBe("found");
    expect(looks).toBe(3);
  });

  it("in reschedule mode looks once and names the time of the next look", async () => {
    const definition = defineSensor({ mode: "reschedule", pokeInterval: "30s" }, () => false);
    const { outcome, runCallbacks } = await runOneTask(definition);
    expect(outcome).toMatchObject({ state: "up_for_reschedule", rescheduleDate: "2024-01-31T00:00:32.000Z" });
    await runCallbacks();
  });

  it("doubles its interval under backoff, up to maxWait, counting earlier looks", async () => {
    const options: SensorOptions = { mode: "reschedule", pokeInterval: "10s", exponentialBackoff: true, maxWait: "1m" };
    const dates = [0, 2, 30].map(async (taskRescheduleCount) => {
      const { outcome } = await runOneTask(
        defineSensor(options, () => false),
        { context: { taskRescheduleCount } },
      );
      return outcome.state === "up_for_reschedule" ? (Date.parse(outcome.rescheduleDate) - startMs) / 1000 : outcome.state;
    });
    expect(await Promise.all(dates)).toEqual([10, 40, 60]);
  });

  it("fails without retry when its timeout is over, counted from the try's first start", async () => {
    const definition = defineSensor({ mode: "reschedule", timeout: "1m" }, () => false);
    const { outcome } = await runOneTask(definition, { input: { now: () => startMs + 61_000 } });
    expect(failureOf(outcome)).toMatchObject({ retryable: false, error: { name: "SensorTimeoutError" } });
  });

  it("makes its last look at the timeout, not after the whole interval", async () => {
    const definition = defineSensor({ mode: "reschedule", pokeInterval: "1h", timeout: "1m" }, () => false);
    expect((await runOneTask(definition)).outcome).toMatchObject({ rescheduleDate: "2024-01-31T00:01:02.000Z" });
  });

  it("with softFail is skipped at its timeout, at a hanging look, and for a FailError, but not for other errors", async () => {
    const late = { input: { now: () => startMs + 61_000 } };
    const soft: SensorOptions = { softFail: true, timeout: "1m" };
    const throwing = (error: Error) => () => {
      throw error;
    };
    expect(
      (
        await runOneTask(
          defineSensor(soft, () => false),
          late,
        )
      ).outcome.state,
    ).toBe("skipped");
    expect((await runOneTask(defineSensor(soft, throwing(new FailError())))).outcome.state).toBe("skipped");
    expect((await runOneTask(defineSensor(soft, throwing(new Error("x"))))).outcome.state).toBe("failed");
    const hanging = define(() => void sensor({ taskId: "wait", ...soft }, () => new Promise<boolean>(() => {}))());
    expect((await runOneTask(hanging, { context: { executionTimeoutSec: 0.01 } })).outcome.state).toBe("skipped");
  });

  describe("whose wait for its trigger was ended", () => {
    class Waiting extends BaseSensor<object> {
      async poke() {
        return false;
      }
      override createTrigger() {
        return new DateTimeTrigger({ moment: "2030-01-01T00:00:00Z" });
      }
    }
    const ended = (options: SensorOptions, executionTimeoutSec: number | null) =>
      runOneTask(
        define(() => void new Waiting({ taskId: "wait", mode: "deferrable", ...options })),
        {
          context: {
            executionTimeoutSec,
            resume: { method: "execute", kwargs: {}, event: null, failure: { kind: "timeout", message: "late" } },
          },
        },
      );

    it("by its executionTimeout, can be retried and names that limit", async () => {
      expect(failureOf((await ended({ timeout: "1h" }, 5)).outcome)).toMatchObject({
        retryable: true,
        error: { name: "TaskTimeoutError", message: "the task took longer than its executionTimeout of 5 s" },
      });
      expect((await ended({ timeout: "1h", softFail: true }, 5)).outcome).toMatchObject({
        state: "skipped",
        reason: expect.stringContaining("executionTimeout of 5 s"),
      });
    });

    it("by its own timeout, fails without retry", async () => {
      for (const limitSec of [null, 7200])
        expect(failureOf((await ended({ timeout: "1h" }, limitSec)).outcome)).toMatchObject({
          retryable: false,
          error: { name: "SensorTimeoutError" },
        });
    });
  });
});
