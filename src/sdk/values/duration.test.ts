import fc from "fast-check";
import { expect, it } from "vitest";
import { durationToSeconds } from "./duration.ts";
import { instantToIso } from "./instant.ts";

it.each([
  ["5m", 300],
  ["1h30m", 5400],
  ["1h 30m", 5400],
  ["1.5s", 1.5],
  ["250ms", 0.25],
  ["2d", 172_800],
  ["1w", 604_800],
  [{ minutes: 5, seconds: 1 }, 301],
] as const)("durationToSeconds(%j) = %d", (input, seconds) => {
  expect(durationToSeconds("x", input)).toBe(seconds);
});

it("adds up any parts, written as text or as an object", () => {
  const part = fc.nat({ max: 1000 });
  fc.assert(
    fc.property(part, part, part, (hours, minutes, seconds) => {
      expect(durationToSeconds("x", `${hours}h${minutes}m${seconds}s`)).toBe(hours * 3600 + minutes * 60 + seconds);
      expect(durationToSeconds("x", { hours, minutes, seconds })).toBe(hours * 3600 + minutes * 60 + seconds);
    }),
  );
});

it.each(["", "5", "m", "-5m", "5m!", "5 m 3", "5M", "1e3s"])("refuses %j", (input) => {
  expect(() => durationToSeconds("retryDelay", input)).toThrow(/retryDelay: .* is not a duration/);
});

it.each([
  ["2024-01-01", "Asia/Seoul", "2023-12-31T15:00:00Z"],
  ["2024-01-01T09:00:00Z", "Asia/Seoul", "2024-01-01T09:00:00Z"],
  ["2024-01-01T09:00:00.250+09:00", "UTC", "2024-01-01T00:00:00.250Z"],
  ["2024-03-31T02:30:00", "Europe/Berlin", "2024-03-31T01:30:00Z"],
])("instantToIso(%s in %s) = %s", (input, timezone, iso) => {
  expect(instantToIso("startDate", input, timezone)).toBe(iso);
});
