import { describe, expect, test } from "vitest";
import { compileCron, validateCron, validateTimetable } from "./cron-expression.ts";

describe("validateCron", () => {
  test.each([
    "0 0 * * *",
    "*/15 * * * *",
    "@daily",
    "@quarterly",
    "0 0 29 2 *",
    "0 0 L * *",
    "0 0 * * 5L",
    "0 9 * * MON-FRI",
    "0 0 31 2 1",
  ])("accepts %s", (expression) => expect(validateCron(expression, "UTC")).toBeNull());

  test.each([
    ["", "it is empty"],
    ["   ", "it is empty"],
    ["* * * * * *", "seconds are not supported"],
    ["* *", "2 field(s) instead of 5"],
    ["*/-5 * * * *", "-5"],
    ["*/0 * * * *", "0"],
    ["60 * * * *", "60"],
    ["0 0 31 2 *", "never run"],
    ["0 0 30 2 *", "never run"],
    ["0 0 31 4,6 *", "never run"],
    ["0 0 * * 1#6", "occurrence"],
    ["H * * * *", "another time on each machine"],
    ["@reboot", "no such preset"],
    ["every day at 7 please", "Invalid characters"],
  ])("refuses %j, saying %j", (expression, reason) => {
    const problem = validateCron(expression, "UTC");
    expect(problem).toContain(reason);
    expect(problem).toContain(`"${expression}"`);
  });

  test("refuses 10,000 characters at once and does not repeat them", () => {
    const problem = validateCron("1,".repeat(5_000), "UTC");
    expect(problem).toContain("10000 characters");
    expect(problem?.length).toBeLessThan(200);
  });

  test.each(["Mars/Olympus", "", "system", "local"])("refuses the zone %j", (timezone) => {
    expect(validateCron("@daily", timezone)).toContain("unknown time zone");
  });

  test("compileCron throws the same sentence", () => {
    expect(() => compileCron("0 0 31 2 *")).toThrow('invalid cron expression "0 0 31 2 *"');
  });
});

test("a delta must advance and stay within reason", () => {
  expect(validateTimetable({ type: "delta", seconds: 300, intervals: false })).toBeNull();
  expect(validateTimetable({ type: "delta", seconds: 0.0001, intervals: false })).toContain("0.0001");
  expect(validateTimetable({ type: "delta", seconds: 1e12, intervals: false })).toContain("100 years");
});
