import { expect, test } from "vitest";
import { sliceValues } from "./slice-values.ts";

const values = [0, 1, 2, 3, 4];
const slice = (start: number | null, stop: number | null, step: number | null) => sliceValues(values, { start, stop, step });

test("slices are Python's", () => {
  expect(slice(null, null, null)).toEqual([0, 1, 2, 3, 4]);
  expect(slice(1, 3, null)).toEqual([1, 2]);
  expect(slice(-2, null, null)).toEqual([3, 4]);
  expect(slice(null, -2, null)).toEqual([0, 1, 2]);
  expect(slice(-9, 9, 2)).toEqual([0, 2, 4]);
  expect(slice(null, null, -1)).toEqual([4, 3, 2, 1, 0]);
  expect(slice(3, null, -2)).toEqual([3, 1]);
  expect(slice(9, 1, -1)).toEqual([4, 3, 2]);
  expect(slice(null, -9, -1)).toEqual([4, 3, 2, 1, 0]);
  expect(slice(3, 1, null)).toEqual([]);
  expect(sliceValues([], { start: null, stop: null, step: -1 })).toEqual([]);
});
