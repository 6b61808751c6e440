import { expect, test } from "vitest";
import { nextScale, readBounds } from "./autoscale.ts";

const bounds = { max: 10, min: 2 };

test("a full worker doubles, up to its upper bound", () => {
  const limits = [];
  for (let scale = { limit: 2, idleSinceMs: null as number | null }, step = 0; step < 4; step++) {
    scale = nextScale(scale, scale.limit, bounds, step);
    limits.push(scale.limit);
  }
  expect(limits).toEqual([4, 8, 10, 10]);
});

test("a worker that needs less for 30 s shrinks to what it needs, down to its lower bound", () => {
  const needsLess = nextScale({ limit: 10, idleSinceMs: null }, 5, bounds, 1_000);
  expect(needsLess).toEqual({ limit: 10, idleSinceMs: 1_000 });
  expect(nextScale(needsLess, 5, bounds, 30_999)).toEqual(needsLess);
  expect(nextScale(needsLess, 5, bounds, 31_000)).toEqual({ limit: 5, idleSinceMs: null });
  expect(nextScale(needsLess, 0, bounds, 31_000)).toEqual({ limit: 2, idleSinceMs: null });
  expect(nextScale(needsLess, 10, bounds, 31_000)).toEqual({ limit: 10, idleSinceMs: null });
});

test("bounds are read as max,min", () => {
  expect(readBounds("16,4")).toEqual({ max: 16, min: 4 });
  for (const wrong of ["4,16", "4", "0,0", "a,b", "4,0", "-1,1"]) expect(() => readBounds(wrong)).toThrow(/max,min/);
});
