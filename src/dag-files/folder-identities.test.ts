import { expect, test } from "vitest";
import { wasDeleted } from "./folder-identities.ts";

test("a missing file was deleted if the nearest folder that is left is the one of before", () => {
  const before = new Map([
    ["", "1:1"],
    ["team", "1:2"],
    ["team/deep", "1:3"],
  ]);
  const deleted = (file: string, now: Record<string, string>) => wasDeleted(file, before, new Map(Object.entries(now)));
  expect(deleted("a.ts", { "": "1:1" })).toBe(true);
  expect(deleted("a.ts", { "": "2:1" })).toBe(false);
  expect(deleted("team/deep/a.ts", { "": "1:1", team: "1:2", "team/deep": "1:3" })).toBe(true);
  expect(deleted("team/deep/a.ts", { "": "1:1", team: "1:2" })).toBe(true);
  expect(deleted("team/deep/a.ts", { "": "1:1", team: "2:2" })).toBe(false);
  expect(deleted("team/deep/a.ts", { "": "1:1" })).toBe(true);
  expect(deleted("other/a.ts", {})).toBe(false);
});
