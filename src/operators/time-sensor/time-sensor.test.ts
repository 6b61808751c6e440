import { describe, expect, it } from "vitest";
import { define, failureOf, runOneTask } from "../../../tests/support/run-one-task.ts";
import { TimeDeltaSensor, TimeSensor } from "./time-sensor.ts";

const at = (iso: string) => ({ input: { now: () => Date.parse(iso) } });

describe("time sensors", () => {
  it("wait until an instant", async () => {
    const definition = define(() => void new TimeSensor({ taskId: "t", mode: "reschedule", until: "{{ ds }}T09:00:00+09:00" }));
    expect((await runOneTask(definition, at("2024-01-30T23:59:59Z"))).outcome.state).toBe("up_for_reschedule");
    expect((await runOneTask(definition, at("2024-01-31T00:00:00Z"))).outcome.state).toBe("success");
  });

  it("refuse an instant without zone", async () => {
    const definition = define(() => void new TimeSensor({ taskId: "t", until: "2024-01-31T09:00:00" }));
    expect(failureOf((await runOneTask(definition)).outcome).error.message).toContain("with a zone");
  });

  it("wait some time after the data interval", async () => {
    const definition = define(() => void new TimeDeltaSensor({ taskId: "t", mode: "reschedule", delta: "1h" }));
    expect((await runOneTask(definition, at("2024-01-31T00:59:59Z"))).outcome.state).toBe("up_for_reschedule");
    expect((await runOneTask(definition, at("2024-01-31T01:00:00Z"))).outcome.state).toBe("success");
  });
});
