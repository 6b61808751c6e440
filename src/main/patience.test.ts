import { expect, test } from "vitest";
import { createPatience } from "./patience.ts";

test("a role that starts waits until its start timeout, whatever its store waits while it runs", () => {
  let nowMs = 1_000;
  const patience = createPatience(60, () => nowMs);
  const windows = [patience.windowMs(5_000), patience.windowMs(600_000)];
  nowMs = 11_000;
  expect(windows.map((windowMs) => windowMs(nowMs, nowMs))).toEqual([50_000, 50_000]);
  patience.started();
  expect(windows.map((windowMs) => windowMs(nowMs, nowMs))).toEqual([5_000, 600_000]);
});

test("a stop ends the wait of a start at once", () => {
  const patience = createPatience(60);
  patience.stop();
  expect([patience.windowMs(600_000)(0, 0), patience.isStartGivenUp()]).toEqual([0, true]);
});

test("a role that runs waits a moment after a stop, once for all statements of an outage", () => {
  let nowMs = 1_000;
  const patience = createPatience(60, () => nowMs);
  const windowMs = patience.windowMs(600_000);
  patience.started();
  nowMs = 10_000;
  patience.stop();
  // Away since before the stop: a statement of that time, one that is begun a second later, and one that comes when the moment is over.
  expect([windowMs(9_000, 8_000), windowMs(11_000, 8_000), windowMs(14_000, 8_000)]).toEqual([4_000, 2_000, -1_000]);
  // Lost only later, while it drains: a moment from then.
  expect(windowMs(40_000, 40_000)).toBe(3_000);
  expect([patience.windowMs(1_000)(10_000, 10_000), patience.isStartGivenUp()]).toEqual([1_000, false]);
});
