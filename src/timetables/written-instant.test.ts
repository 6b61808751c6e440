import { expect, test } from "vitest";
import { endOfSpanAt, instantAt, readInstant } from "./written-instant.ts";

const at = (text: string, zone = "Asia/Seoul") => readInstant(text, zone)?.toISOString() ?? null;

test.each([
  ["2021-11-30 10:00:00+00:00", "2021-11-30T10:00:00.000Z"],
  ["2021-11-30T10:00:00Z", "2021-11-30T10:00:00.000Z"],
  ["2021-11-30T10:00:00z", "2021-11-30T10:00:00.000Z"],
  ["2021-11-30 10:00:00 +00:00", "2021-11-30T10:00:00.000Z"],
  ["2021-11-30T10:00:00+0200", "2021-11-30T08:00:00.000Z"],
  ["2021-11-30T10:00:00+02", "2021-11-30T08:00:00.000Z"],
  ["2021-11-30T10:00:00-05:30", "2021-11-30T15:30:00.000Z"],
  ["2021-11-30T10:00:00.123456+00:00", "2021-11-30T10:00:00.123Z"],
  ["2021-11-30T10:00:00,5Z", "2021-11-30T10:00:00.500Z"],
  // A `+` that a client did not escape in a query.
  ["2021-11-30T10:00:00 00:00", "2021-11-30T10:00:00.000Z"],
  ["20211130T100000Z", "2021-11-30T10:00:00.000Z"],
  // Without an offset: the zone's local time.
  ["2021-11-30 10:00:00", "2021-11-30T01:00:00.000Z"],
  ["2021-11-30T10:00", "2021-11-30T01:00:00.000Z"],
  ["2021-11-30", "2021-11-29T15:00:00.000Z"],
  [" 2021-11-30 ", "2021-11-29T15:00:00.000Z"],
])("%s is %s", (text, iso) => {
  expect(at(text)).toBe(iso);
});

test.each([
  "",
  "yesterday",
  "2021-02-30",
  "2021-13-01",
  "2021-11-30 25:00:00",
  "2021-11-30T10:00:00+99:00",
  "0000-01-01",
  "1638266400",
])("%j is no instant", (text) => {
  expect(at(text)).toBeNull();
});

test("a bare date ends with its day in the zone, also where a day has 23 or 25 hours; any other ends where it begins", () => {
  const end = (text: string, zone: string) => endOfSpanAt(text, zone).toISOString();
  expect(end("2026-11-12", "UTC")).toBe("2026-11-12T23:59:59.999Z");
  expect(end("2026-11-12", "Asia/Seoul")).toBe("2026-11-12T14:59:59.999Z");
  expect(end("2026-03-29", "Europe/Berlin")).toBe("2026-03-29T21:59:59.999Z");
  expect(end("2026-10-25", "Europe/Berlin")).toBe("2026-10-25T22:59:59.999Z");
  expect(end("2026-11-12T00:00", "UTC")).toBe("2026-11-12T00:00:00.000Z");
});

test("text that is no instant is refused with the forms that are", () => {
  expect(() => instantAt("tomorrow", "UTC")).toThrow(/"tomorrow" is not a date or time like 2026-01-31, /);
});
