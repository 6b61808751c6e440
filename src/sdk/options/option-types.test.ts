import { describe, expect, test } from "vitest";
import { sensor } from "../../operators/index.ts";
import { cron, type DagOptions, dag, events, task } from "../index.ts";

// What plain JavaScript, or a file that tsc was not run on, may write.
const wrong = (value: unknown) => value as never;
const ofDag = (options: object) => () => dag({ dagId: "d", ...(options as Partial<DagOptions>) }, () => {});
const ofTask = (options: object) => () => dag({ dagId: "d" }, () => void task({ taskId: "t", ...options }, () => 1)());
const ofSensor = (options: object) => () => dag({ dagId: "d" }, () => void sensor({ taskId: "t", ...options }, () => true)());

describe("a value of the wrong type is refused where it is written, naming owner, option, value and rule", () => {
  test.each(["catchup", "failFast", "isPausedUponCreation"])("DAG: %s", (name) => {
    for (const value of ["false", 1, null])
      expect(ofDag({ [name]: value })).toThrow(`DAG "d": ${name} is ${JSON.stringify(value)}, but it must be true or false`);
  });

  test.each([
    ...["dependsOnPast", "waitForDownstream", "ignoreFirstDependsOnPast", "waitForPastDependsBeforeSkipping", "isSetup"],
    ...["isTeardown", "onFailureFailDagrun", "doXcomPush", "multipleOutputs", "emailOnRetry", "maxActiveTisIncludeDeferred"],
  ])("task: %s", (name) => {
    expect(ofTask({ [name]: "false" })).toThrow(`task "t" of DAG "d": ${name} is "false", but it must be true or false`);
  });

  test.each(["softFail", "exponentialBackoff"])("sensor: %s", (name) => {
    expect(ofSensor({ [name]: "no" })).toThrow(new RegExp(`"t".*: ${name} is "no", but it must be true or false`));
  });

  test("schedules' own flags", () => {
    expect(() => cron("@daily", { intervals: wrong("no") })).toThrow('cron(): intervals is "no", but it must be true or false');
    expect(() => events([], { restrictToEvents: wrong(1) })).toThrow(
      "events(): restrictToEvents is 1, but it must be true or false",
    );
  });

  test("lists and objects", () => {
    expect(ofDag({ tags: "a,b" })).toThrow('DAG "d": tags is "a,b": they must be an array of texts, such as ["daily"]');
    expect(ofDag({ tags: null })).toThrow('DAG "d": tags is null');
    expect(ofDag({ params: ["a"] })).toThrow('DAG "d": params is an array, but it must be an object');
    expect(ofDag({ params: null })).toThrow('DAG "d": params is null, but it must be an object');
    expect(ofTask({ executorConfig: "x" })).toThrow('task "t" of DAG "d": executorConfig is "x", but it must be an object');
  });

  test("a number is no date", () => {
    expect(ofDag({ startDate: 2026 })).toThrow(/DAG "d": startDate: 2026 is not an instant.*ISO 8601/);
    expect(ofTask({ endDate: 20_260_101 })).toThrow(/task "t" of DAG "d": endDate: 20260101 is not an instant/);
  });

  test("true, false and what is not given pass", () => {
    expect(ofDag({ catchup: true, failFast: false, isPausedUponCreation: undefined, tags: [], params: {} })).not.toThrow();
    expect(ofTask({ dependsOnPast: false, doXcomPush: undefined, executorConfig: { cpu: 1 } })).not.toThrow();
  });
});

test("a schedule that is a list, a Date or an object with a wrong unit is told what to write", () => {
  expect(ofDag({ schedule: ["0 6 * * *", "0 7 * * *"] })).toThrow("several cron expressions are crons([…])");
  expect(ofDag({ schedule: new Date(0) })).toThrow('schedule: a Date is not a schedule: one run at an instant is "@once"');
  expect(ofDag({ schedule: { minute: 30 } })).toThrow('{ minute: 30 (did you mean "minutes"?) } is not a duration');
  expect(ofDag({ schedule: { minutes: "30" } })).toThrow('{ minutes: "30" } is not a duration');
});
