import { expect, test } from "vitest";
import type { History, RunTransition } from "./history.ts";
import { checkIsolation } from "./isolation.ts";

const FAULT_FROM_MS = 100_000;

/** Runs of DAG `d`: their creation times and durations; null = the run never ended. */
function historyOf(...runs: [createdMs: number, tookMs: number | null][]): History {
  const runTransitions = runs.flatMap(([atMs, tookMs], at): RunTransition[] => {
    const step = (stepMs: number, from: string | null, to: string) => ({
      seq: at,
      atMs: stepMs,
      run: `d/r${at}`,
      dagId: "d",
      from,
      to,
    });
    const open = [step(atMs, null, "queued"), step(atMs + 1, "queued", "running")];
    return tookMs === null ? open : [...open, step(atMs + tookMs, "running", "success")];
  });
  return { runTransitions } as unknown as History;
}

const check = (...runs: [number, number | null][]) =>
  checkIsolation(historyOf(...runs), { bystanders: { dagIds: ["d"], faultFromMs: FAULT_FROM_MS } });
const before = (tookMs: number): [number, number] => [1_000, tookMs];
const under = (tookMs: number | null): [number, number | null] => [FAULT_FROM_MS + 1, tookMs];

test("runs that take up to twice as long under the fault are let be; longer ones are found", () => {
  expect(check(before(1_000), under(2_000))).toEqual([]);
  expect(check(before(1_000), under(2_001))).toEqual(["runs of d took 2001 ms under the fault and 1000 ms before"]);
});

test("a few milliseconds more are no delay, however short a run is", () => {
  expect(check(before(5), under(400))).toEqual([]);
  expect(check(before(5), under(600))).toHaveLength(1);
});

test("the median is compared, and one run that stands still is found all the same", () => {
  expect(check(before(100), under(100), under(100), under(4_000))).toEqual([]);
  expect(check(before(100), under(100), under(100), under(6_000))).toEqual([
    "a run of d took 6000 ms under the fault; the longest before took 100 ms",
  ]);
});

test("a run that never ends under the fault is found", () => {
  expect(check(before(100), under(100), under(100), under(null))).toEqual([
    "a run of d never ended under the fault; the longest before took 100 ms",
  ]);
});

test("a run that was open when the fault began belongs to neither side", () => {
  expect(check(before(100), [FAULT_FROM_MS - 10, 50_000], under(100))).toEqual([]);
});

test("without runs on both sides nothing is proved", () => {
  expect(check(under(100))).toEqual(["no run of d ended before the fault: there is nothing to compare with"]);
  expect(check(before(100))).toEqual(["no run of d was created under the fault"]);
});

test("where no bystander is named nothing is compared", () => {
  expect(checkIsolation(historyOf(under(null)), {})).toEqual([]);
});
