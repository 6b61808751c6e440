import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COUNT_MAX, DURATION_MAX_SEC, serializedDagSchema } from "../contracts/index.ts";
import { sensor } from "../operators/index.ts";
import {
  type CommonTaskOptions,
  cron,
  type DagOptions,
  DateTimeTrigger,
  dag,
  delta,
  events,
  FileTrigger,
  HttpTrigger,
  TimeDeltaTrigger,
  task,
} from "./index.ts";
import { serializeDag } from "./runtime.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const ofDag = (options: Partial<DagOptions>) => () => dag({ dagId: "d", ...options }, () => {});
const ofTask = (options: CommonTaskOptions) => () => dag({ dagId: "d" }, () => void task({ taskId: "t", ...options }, () => 1)());
const ofSensor = (options: object) => () => dag({ dagId: "d" }, () => void sensor({ taskId: "t", ...options }, () => true)());

const TOO_LONG = /is longer than 100 years \(36525 days\)/;
const TOO_MANY = /must be a whole number from -?\d+ to 1000000000/;
const OUT_OF_YEARS = /1900 to 9999/;

describe("what is out of bounds is an import error that names the option, the value and the bound", () => {
  test.each<[name: string, run: () => unknown, option: string, value: string, bound: RegExp]>([
    ["dagrunTimeout", ofDag({ dagrunTimeout: { seconds: MAX } }), "dagrunTimeout", `{"seconds":${MAX}}`, TOO_LONG],
    ["dagrunTimeout", ofDag({ dagrunTimeout: { days: Number.POSITIVE_INFINITY } }), "dagrunTimeout", "days", TOO_LONG],
    ["executionTimeout", ofTask({ executionTimeout: "36526d" }), "executionTimeout", '"36526d"', TOO_LONG],
    ["retryDelay", ofTask({ retryDelay: { weeks: 1e9 } }), "retryDelay", "1000000000", TOO_LONG],
    ["maxRetryDelay", ofTask({ maxRetryDelay: { days: MAX } }), "maxRetryDelay", "days", TOO_LONG],
    ["pokeInterval", ofSensor({ pokeInterval: { days: MAX } }), "pokeInterval", "days", TOO_LONG],
    ["a sensor's timeout", ofSensor({ timeout: { days: MAX } }), "timeout", "days", TOO_LONG],
    ["a schedule's distance", () => delta({ days: 36_526 }), "delta()", "36526", TOO_LONG],
    ["a data interval", () => cron("@daily", { interval: { days: MAX } }), "cron(): interval", "days", TOO_LONG],
    ["a trigger's delta", () => new TimeDeltaTrigger({ delta: { days: MAX } }), "TimeDeltaTrigger: delta", "days", TOO_LONG],
    ["a poll interval", () => new FileTrigger({ path: "x", pollInterval: { days: MAX } }), "pollInterval", "days", TOO_LONG],
    ["a request's", () => new HttpTrigger({ url: "x", requestTimeout: { days: MAX } }), "requestTimeout", "days", TOO_LONG],
    ["maxActiveRuns", ofDag({ maxActiveRuns: MAX }), "maxActiveRuns", String(MAX), TOO_MANY],
    ["maxActiveTasks", ofDag({ maxActiveTasks: COUNT_MAX + 1 }), "maxActiveTasks", "1000000001", TOO_MANY],
    ["failed runs", ofDag({ maxConsecutiveFailedDagRuns: MAX }), "maxConsecutiveFailedDagRuns", String(MAX), TOO_MANY],
    ["retries", ofTask({ retries: MAX }), "retries", String(MAX), TOO_MANY],
    ["poolSlots", ofTask({ poolSlots: 3_000_000_000 }), "poolSlots", "3000000000", /from 1 to 1000000$/],
    ["priorityWeight", ofTask({ priorityWeight: -MAX }), "priorityWeight", String(-MAX), TOO_MANY],
    ["maxActiveTisPerDag", ofTask({ maxActiveTisPerDag: MAX }), "maxActiveTisPerDag", String(MAX), TOO_MANY],
    ["maxActiveTisPerDagrun", ofTask({ maxActiveTisPerDagrun: MAX }), "maxActiveTisPerDagrun", String(MAX), TOO_MANY],
    ["the year 0001", ofDag({ startDate: "0001-01-01" }), "startDate", "0001-01-01", OUT_OF_YEARS],
    ["an end in the year 10000", ofDag({ endDate: new Date(Date.UTC(10_000, 0)) }), "endDate", "+010000", OUT_OF_YEARS],
    ["a task's start", ofTask({ startDate: "1899-12-31" }), "startDate", "1899-12-31", OUT_OF_YEARS],
    ["an event", ofDag({ schedule: events(["0099-01-01"]) }), "events()", "0099-01-01", OUT_OF_YEARS],
    ["a moment", () => new DateTimeTrigger({ moment: new Date(8.64e15) }), "moment", "+275760", OUT_OF_YEARS],
  ])("%s", (_name, run, option, value, bound) => {
    expect(run).toThrow(expect.objectContaining({ message: expect.stringContaining(option) }));
    expect(run).toThrow(expect.objectContaining({ message: expect.stringContaining(value) }));
    expect(run).toThrow(bound);
  });
});

test("what people use is within them", () => {
  const dates = ["1900-01-01", "1970-01-01", "2010-01-01", "9999-12-31"];
  for (const startDate of dates) expect(ofDag({ startDate })).not.toThrow();
  expect(ofDag({ dagrunTimeout: "36525d", maxActiveRuns: COUNT_MAX })).not.toThrow();
  expect(ofTask({ executionTimeout: "25d", retries: 999_999_999, retryDelay: "1w" })).not.toThrow();
  expect(ofSensor({ pokeInterval: { days: 50 }, timeout: "52w" })).not.toThrow();
});

test("whatever number or duration the SDK takes, its contract form takes too", () => {
  const number = fc.oneof(fc.integer({ min: -5, max: COUNT_MAX + 5 }), fc.maxSafeInteger(), fc.double());
  const seconds = fc.oneof(
    fc.double(),
    fc.constantFrom(0, 1e-9, DURATION_MAX_SEC, DURATION_MAX_SEC + 1e-7, DURATION_MAX_SEC + 1),
  );
  fc.assert(
    fc.property(
      number,
      seconds,
      fc.constantFrom(...["maxActiveRuns", "retries", "poolSlots", "priorityWeight"]),
      (count, sec, name) => {
        let definition: ReturnType<typeof dag>;
        try {
          definition = dag(
            { dagId: "d", dagrunTimeout: { seconds: sec }, ...(name === "maxActiveRuns" && { [name]: count }) },
            () => {
              const options = {
                executionTimeout: { seconds: sec },
                retryDelay: { seconds: sec },
                ...(name !== "maxActiveRuns" && { [name]: count }),
              };
              task({ taskId: "t", ...options }, () => 1)();
            },
          );
        } catch (error) {
          expect(error).toHaveProperty("code");
          return;
        }
        expect(serializedDagSchema.safeParse(serializeDag(definition)).error).toBeUndefined();
      },
    ),
    { numRuns: 500 },
  );
});

describe("a text or flag that cannot be kept is an import error that names the option and the rule", () => {
  const NOT_A_FLAG = /must be true or false/;
  test.each(["catchup", "failFast", "isPausedUponCreation"])("%s of a DAG", (name) => {
    for (const value of ["false", 1, 10n, Number.NaN, {}]) {
      expect(ofDag({ [name]: value })).toThrow(NOT_A_FLAG);
      expect(ofDag({ [name]: value })).toThrow(name);
    }
  });
  test.each([
    ...[
      "dependsOnPast",
      "waitForDownstream",
      "ignoreFirstDependsOnPast",
      "waitForPastDependsBeforeSkipping",
      "isSetup",
      "isTeardown",
    ],
    ...["onFailureFailDagrun", "doXcomPush", "multipleOutputs", "maxActiveTisIncludeDeferred", "emailOnFailure", "emailOnRetry"],
  ])("%s of a task", (name) => {
    for (const value of ["no", 0, 10n]) {
      expect(ofTask({ [name]: value })).toThrow(NOT_A_FLAG);
      expect(ofTask({ [name]: value })).toThrow(name);
    }
  });
  test.each(["softFail", "exponentialBackoff"])("%s of a sensor", (name) => {
    expect(ofSensor({ [name]: "no" })).toThrow(NOT_A_FLAG);
  });
  test.each([
    ...["description", "docMd", "displayName"].map((name) => [name, ofDag] as const),
    ...["docMd", "displayName", "owner", "pool", "queue", "mapIndexTemplate"].map((name) => [name, ofTask] as const),
  ])("%s", (name, of) => {
    expect(of({ [name]: "a\0" })).toThrow(/must not hold the character U\+0000/);
    expect(of({ [name]: "a\ud800" })).toThrow(/must not hold half of a surrogate pair/);
    expect(of({ [name]: "x".repeat(1_000_001) })).toThrow(/must have at most \d+$/);
    expect(of({ [name]: "😀" })).not.toThrow();
  });
  test("tags, a pool's name, and a date of any length in a message of a bounded one", () => {
    expect(ofDag({ tags: ["a\0"] })).toThrow(/a tag is/);
    expect(ofTask({ pool: "p".repeat(257) })).toThrow(/257 characters and must have at most 256/);
    const error = (() => {
      try {
        return ofDag({ startDate: "x".repeat(1_000_000) })();
      } catch (thrown) {
        return thrown as Error;
      }
    })() as Error;
    expect(error.message).toMatch(/startDate: "x+…" is not an instant/);
    expect(error.message.length).toBeLessThan(1_000);
  });
});
