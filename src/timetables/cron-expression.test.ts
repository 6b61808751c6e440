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
    ["5-1 * * * *", "5-1"],
    ["0 0 * * 6-2", "6-2"],
    ["-5 * * * *", "a number on both sides"],
    ["0 24 * * *", "24"],
    ["0 0 31 2,4,6 *", "never run"],
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

  test("refuses NUL, in a message that can be stored as text", () => {
    const problem = validateCron("* * * * \0", "UTC");
    expect(problem).toContain('"* * * * \\u0000"');
    expect(problem).not.toContain("\0");
  });

  test("refuses whatever it refuses within milliseconds", () => {
    for (const expression of [
      "0 0 31 2 *",
      "0 0 30 2 *",
      "0 0 31 4,6,9,11 *",
      "1,".repeat(5_000),
      "*/0 * * * *",
      "9".repeat(200),
    ]) {
      const startedMs = performance.now();
      expect(validateCron(expression, "America/New_York")).not.toBeNull();
      expect(performance.now() - startedMs).toBeLessThan(200);
    }
  });

  test.each(["Mars/Olympus", "", "system", "local"])("refuses the zone %j", (timezone) => {
    expect(validateCron("@daily", timezone)).toContain("unknown time zone");
  });

  test("compileCron throws the same sentence", () => {
    expect(() => compileCron("0 0 31 2 *")).toThrow('invalid cron expression "0 0 31 2 *"');
  });
});

test("each of several crons is checked, and events must be in order", () => {
  const crons = (...expressions: string[]) => validateTimetable({ type: "crons", expressions, timezone: "UTC" });
  expect(crons("@daily", "0 6 * * 1")).toBeNull();
  expect(crons("@daily", "0 0 31 2 *")).toContain('"0 0 31 2 *"');
  const events = (...dates: string[]) => validateTimetable({ type: "events", dates, restrictToEvents: false, description: null });
  expect(events("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")).toBeNull();
  expect(events("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z")).toContain("not in order");
});

test("a delta must advance and stay within reason", () => {
  expect(validateTimetable({ type: "delta", seconds: 300, intervals: false })).toBeNull();
  expect(validateTimetable({ type: "delta", seconds: 0.0001, intervals: false })).toContain("0.0001");
  expect(validateTimetable({ type: "delta", seconds: 1e12, intervals: false })).toContain("100 years");
});
