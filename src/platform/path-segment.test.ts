import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { pathSegment } from "./path-segment.ts";

test("ids of the usual characters stand as they are: logs of old are found under the same names", () => {
  for (const id of ["extract", "group.task-1", "scheduled__2024-01-31T00:00:00+00:00", "manual~1"])
    expect(pathSegment("run_id", id)).toBe(`run_id=${id}`);
  expect(pathSegment("map_index", 3)).toBe("map_index=3");
  // The longest id whose segment still fits into a file name.
  expect(pathSegment("task_id", "a".repeat(247))).toBe(`task_id=${"a".repeat(247)}`);
});

test("ids of 250 characters make names that a file system takes, Korean ones too, and different ones for different ids", () => {
  const folder = mkdtempSync(join(tmpdir(), "baram-segments-"));
  const ids = [
    "a".repeat(250),
    `${"a".repeat(249)}b`,
    "가".repeat(250),
    `${"가".repeat(249)}나`,
    "😀".repeat(125),
    "/".repeat(250),
  ];
  const segments = ids.map((id) => pathSegment("task_id", id));
  for (const segment of segments) {
    expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
    mkdirSync(join(folder, segment));
  }
  expect(readdirSync(folder)).toHaveLength(ids.length);
  expect(segments[2]).toMatch(/^task_id=가+@[0-9a-f]{32}$/);
});

test("no id leads out of its folder, and no two ids share a name", () => {
  expect(pathSegment("dag_id", "../../etc/passwd\0")).toBe("dag_id=..%2F..%2Fetc%2Fpasswd%00");
  const id = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.string({ unit: fc.constantFrom("a", "%", "@", "/", "2", "F", "가"), maxLength: 300 }),
  );
  fc.assert(
    fc.property(id, id, (one, other) => {
      const segment = pathSegment("x", one);
      expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
      expect(segment).not.toMatch(/[/\0]/);
      // Different lone surrogates cannot be distinguished.
      if (Buffer.from(one).compare(Buffer.from(other)) !== 0) expect(segment).not.toBe(pathSegment("x", other));
    }),
    { numRuns: 2_000 },
  );
  expect(pathSegment("x", pathSegment("x", "a".repeat(300)).slice(2))).not.toBe(pathSegment("x", "a".repeat(300)));
});
