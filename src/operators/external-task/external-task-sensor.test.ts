import { describe, expect, it } from "vitest";
import { define, failureOf, runOneTask } from "../../../tests/support/run-one-task.ts";
import type { RunnerCalls } from "../../contracts/index.ts";
import type { SensorOptions } from "../../sdk/index.ts";
import { type ExternalTaskOptions, ExternalTaskSensor } from "./external-task-sensor.ts";

type Answer = RunnerCalls["getTaskStates"]["result"];
const answerOf = (state: Answer["runs"][number]["state"], tasks: Answer["runs"][number]["tasks"] = []): Answer => ({
  dagExists: true,
  missingTaskIds: [],
  runs: [{ runId: "r", logicalDate: null, state, tasks }],
});
const wait = (
  options: Partial<ExternalTaskOptions & SensorOptions>,
  answer: Answer,
  logicalDate: string | null = "2024-01-31T00:00:00Z",
) =>
  runOneTask(
    define(() => void new ExternalTaskSensor({ taskId: "t", mode: "reschedule", externalDagId: "other", ...options })),
    { dagRun: { logicalDate }, handlers: { getTaskStates: () => answer } },
  );
const none: Answer = { dagExists: true, missingTaskIds: [], runs: [] };

describe("ExternalTaskSensor", () => {
  it("waits for the run of the same logical date, moved by executionDelta or executionDateFn", async () => {
    const dates = async (options: Partial<ExternalTaskOptions>) => (await wait(options, none)).asked[0]?.params;
    expect(await dates({})).toMatchObject({ logicalDates: ["2024-01-31T00:00:00.000Z"], runIds: null });
    expect(await dates({ executionDelta: "1d" })).toMatchObject({ logicalDates: ["2024-01-30T00:00:00.000Z"] });
    const executionDateFn = (date: Date) => [date, new Date(date.getTime() + 1)];
    expect(await dates({ executionDateFn })).toMatchObject({
      logicalDates: ["2024-01-31T00:00:00.000Z", "2024-01-31T00:00:00.001Z"],
    });
  });

  it("waits for a manual run by its id", async () => {
    const { outcome, asked } = await wait({ externalRunId: "from__{{ run_id }}" }, answerOf("success"), null);
    expect(outcome.state).toBe("success");
    expect(asked[0]?.params).toMatchObject({ logicalDates: null, runIds: ["from__manual__1"] });
  });

  it("says what to do for a run without logical date", async () => {
    expect(failureOf((await wait({}, none, null)).outcome).error.message).toContain("externalRunId");
  });

  it("follows the states of tasks, by allowed, skipped and failed", async () => {
    const task = (state: Answer["runs"][number]["tasks"][number]["state"]) =>
      answerOf("running", [{ taskId: "a", mapIndex: -1, state }]);
    const a: Partial<ExternalTaskOptions> = { externalTaskId: "a" };
    expect((await wait(a, task("success"))).outcome.state).toBe("success");
    expect((await wait(a, task("running"))).outcome.state).toBe("up_for_reschedule");
    expect((await wait(a, task("upstream_failed"))).outcome.state).toBe("failed");
    expect((await wait({ ...a, skippedStates: ["skipped"] }, task("skipped"))).outcome.state).toBe("skipped");
    expect((await wait({ ...a, allowedStates: ["success", "failed"] }, task("failed"))).outcome.state).toBe("success");
    expect((await wait({ externalTaskIds: ["a", "b"] }, task("success"))).outcome.state).toBe("up_for_reschedule");
  });

  it("waits for a DAG that does not exist, unless checkExistence", async () => {
    const absent: Answer = { dagExists: false, missingTaskIds: [], runs: [] };
    expect((await wait({}, absent)).outcome.state).toBe("up_for_reschedule");
    expect(failureOf((await wait({ checkExistence: true }, absent)).outcome).error.message).toBe("there is no DAG other");
  });

  it("says in its log which run it looks for, and that a DAG or a task does not exist", async () => {
    const told = async (options: Partial<ExternalTaskOptions>, answer: Answer) =>
      JSON.stringify((await wait(options, answer)).logs);
    expect(await told({}, none)).toContain("logical date 2024-01-31T00:00:00.000Z; if the other DAG has other dates");
    expect(await told({ externalRunId: "r9" }, none)).toContain("there is no such run yet (run id r9)");
    expect(await told({}, { ...none, dagExists: false })).toContain("because there is no such DAG");
    expect(await told({ externalTaskId: "a" }, { ...answerOf("running"), missingTaskIds: ["a"] })).toContain("has no task a");
  });
});
