import { describe, expect, it } from "vitest";
import { define, failureOf, type Platform, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import { TriggerDagRunOperator, type TriggerDagRunOptions } from "./trigger-dag-run-operator.ts";

const trigger = (options: Partial<TriggerDagRunOptions> = {}, handlers: Platform["handlers"] = {}) =>
  runOneTask(
    define(() => void new TriggerDagRunOperator({ taskId: "t", triggerDagId: "other", ...options })),
    { handlers },
  );

describe("TriggerDagRunOperator", () => {
  it("triggers with rendered conf and run id, and returns the run's id", async () => {
    const { outcome, asked } = await trigger({ triggerRunId: "from__{{ run_id }}", conf: { day: "{{ ds }}" } });
    expect(returnValue(outcome)).toBe("from__manual__1");
    expect(asked[0]).toEqual({
      method: "triggerDagRun",
      params: {
        dagId: "other",
        runId: "from__manual__1",
        logicalDate: "now",
        conf: { day: "2024-01-31" },
        resetDagRun: false,
        note: null,
      },
    });
    expect(asked).toHaveLength(2);
  });

  it("fails without retry when the run exists, or skips, or clears it", async () => {
    const exists = { triggerDagRun: () => ({ runId: "r", created: false }) };
    expect(failureOf((await trigger({}, exists)).outcome)).toMatchObject({ retryable: false });
    expect((await trigger({ skipWhenAlreadyExists: true }, exists)).outcome.state).toBe("skipped");
    expect((await trigger({ resetDagRun: true }, exists)).outcome.state).toBe("success");
  });

  it("warns that the run of a paused DAG waits", async () => {
    const { logs } = await trigger({}, { triggerDagRun: () => ({ runId: "r", created: true, isPaused: true }) });
    expect(JSON.stringify(logs)).toContain("DAG other is paused: run r waits until it is unpaused");
    expect(JSON.stringify((await trigger()).logs)).not.toContain("paused");
  });

  it("waits until the run is in an allowed state, and fails for a failed one", async () => {
    const states = ["queued", "running", "success"] as const;
    let look = 0;
    const getDagRunState = () => ({ state: states[look++] ?? "success" });
    const waiting = { waitForCompletion: true, pokeInterval: "1ms" };
    expect((await trigger(waiting, { getDagRunState })).outcome.state).toBe("success");
    expect(look).toBe(3);
    const failing = await trigger(waiting, { getDagRunState: () => ({ state: "failed" }) });
    expect(failureOf(failing.outcome).error.message).toContain("ended as failed");
    const gone = await trigger(waiting, { getDagRunState: () => null });
    expect(failureOf(gone.outcome).error.message).toContain("was deleted");
  });
});
