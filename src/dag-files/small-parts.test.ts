import { describe, expect, test } from "vitest";
import { createDagClaims } from "./dag-claims.ts";
import { findPosition, readableStack } from "./stack-position.ts";

describe("claims", () => {
  const compare = (a: string, b: string) => (a < b ? -1 : 1);
  test("the first file owns; the next one takes over when it lets go", () => {
    const claims = createDagClaims<string>(compare);
    expect(claims.claim("b", ["x", "y"])).toEqual(new Set());
    expect(claims.claim("a", ["x"])).toEqual(new Set(["b"]));
    expect([claims.ownerOf("x"), claims.ownerOf("y"), claims.ownerOf("z")]).toEqual(["a", "b", undefined]);
    expect(claims.claim("a", ["x"])).toEqual(new Set());
    expect(claims.claim("a", [])).toEqual(new Set(["b"]));
    expect(claims.ownerOf("x")).toBe("b");
  });
});

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
