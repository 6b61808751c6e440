import { expect, test } from "vitest";
import { idSchema, isReachable, isValidId, runIdSchema } from "./ids.ts";

test("ids that a path cannot name are refused, and what only looks like them is not", () => {
  for (const id of [".", ".."]) {
    expect(isValidId(id)).toBe(false);
    expect(idSchema.safeParse(id).error?.issues[0]?.message).toContain("not '.' or '..'");
    expect(runIdSchema.safeParse(id).success).toBe(false);
    expect(isReachable(id)).toBe(false);
  }
  expect(runIdSchema.safeParse("~").success, "all runs").toBe(false);
  for (const id of ["...", ".a", "a.", "a..b", "-", "_"]) expect(isValidId(id), id).toBe(true);
  for (const id of [".a", "~1", "manual~"]) expect(runIdSchema.safeParse(id).success, id).toBe(true);
});
