import { expect, test } from "vitest";
import { createFileOrder, type FileOrder } from "./file-order.ts";
import { newFileState } from "./file-states.ts";

const bundle = { name: "dags", path: "/dags" };
const states = ["a.ts", "b.ts", "c.ts", "d.ts", "e.ts"].map((path, at) => ({
  ...newFileState(bundle, 0, path),
  mtimeMs: [10, 30, 20, 30, 5][at] ?? 0,
}));
const order = (mode: FileOrder, host?: string) =>
  [...states]
    .sort(createFileOrder(mode, host))
    .map(({ relativePath }) => relativePath[0])
    .join("");

test("files are loaded by path, newest first, or in an order that is a host's own and stays", () => {
  expect(order("alphabetical")).toBe("abcde");
  expect(order("modified_time")).toBe("bdcae");
  expect(order("random_seeded_by_host", "one")).toBe(order("random_seeded_by_host", "one"));
  expect(new Set(["one", "two", "three", "four"].map((host) => order("random_seeded_by_host", host))).size).toBeGreaterThan(1);
});

test("a file that failed last goes behind the others in every order", () => {
  const failed = { ...newFileState(bundle, 0, "a.ts"), mtimeMs: 99, outcome: "failed" as const };
  const good = { ...newFileState(bundle, 0, "b.ts"), mtimeMs: 1 };
  for (const mode of ["alphabetical", "modified_time", "random_seeded_by_host"] as const)
    expect([failed, good].sort(createFileOrder(mode, "h"))[0], mode).toBe(good);
});
