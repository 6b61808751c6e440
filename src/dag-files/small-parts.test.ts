import { expect, test } from "vitest";
import { findPosition, readableStack } from "./stack-position.ts";

test("a stack's place is the author's innermost line, not a package's or the module's", () => {
  const folder = "/cache/abc";
  const stack = [
    "Error: x",
    "    at check (/app/dist/sdk/dag.js:1:2)",
    "    at p (/cache/abc/node_modules/p/index.js:3:4)",
    "    at inner (/cache/abc/lib/my helper.ts:10:5)",
    "    at <anonymous> (/cache/abc/dag.ts:20:1)",
    "    at node:internal/modules:5:5",
  ].join("\n");
  expect(findPosition(stack, folder)).toEqual({ file: "lib/my helper.ts", line: 10, column: 5 });
  expect(readableStack(stack, folder)).toContain("at <anonymous> (dag.ts:20:1)");
  expect(readableStack(stack, folder)).not.toContain("node:internal");
  expect(findPosition("Error: x\n    at file:///cache/abc/dag.mjs:1:1", folder)).toBeNull();
});
