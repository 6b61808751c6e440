import { expect, test } from "vitest";
import { createPatience } from "./patience.ts";

test("a role that starts waits until its start timeout, whatever its store waits while it runs", () => {
  let nowMs = 1_000;
  const patience = createPatience(60, () => nowMs);
  const windows = [patience.windowMs(5_000), patience.windowMs(600_000)];
  nowMs = 11_000;
  expect(windows.map((windowMs) => windowMs(nowMs))).toEqual([50_000, 50_000]);
  patience.started();
  expect(windows.map((windowMs) => windowMs(nowMs))).toEqual([5_000, 600_000]);
});

test("a stop ends the wait of a start at once, and leaves a role that runs a moment", () => {
  const starting = createPatience(60);
  starting.stop();
  expect([starting.windowMs(600_000)(0), starting.isStartGivenUp()]).toEqual([0, true]);
  const running = createPatience(60);
  running.started();
  running.stop();
  expect([running.windowMs(600_000)(0), running.windowMs(1_000)(0), running.isStartGivenUp()]).toEqual([3_000, 1_000, false]);
});
