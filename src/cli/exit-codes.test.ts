import { expect, it } from "vitest";
import { exitCodeOf } from "./exit-codes.ts";

it("tells scripts what kind of error it was", () => {
  expect(exitCodeOf(undefined)).toBe(1);
  expect(exitCodeOf("conf_invalid")).toBe(1);
  expect(exitCodeOf("usage_invalid")).toBe(2);
  expect(exitCodeOf("connection_invalid")).toBe(2);
  expect(exitCodeOf("dag_not_found")).toBe(3);
  expect(exitCodeOf("dag_run_not_found")).toBe(3);
  expect(exitCodeOf("dag_run_exists")).toBe(4);
  expect(exitCodeOf("interrupted")).toBe(130);
});
