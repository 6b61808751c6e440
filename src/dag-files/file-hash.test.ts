import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { failingReads } from "../../tests/support/failing-reads.ts";
import { DAG_DEFAULTS } from "../contracts/index.ts";
import { createFileHasher, type SeenFiles } from "./file-hash.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baram-hash-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a file that many share is looked at once in a scan, and again in the next", async () => {
  const write = (name: string, text: string) => writeFileSync(join(root, name), text);
  write("a.ts", "a");
  write("package.json", "{}");
  const hasher = createFileHasher(DAG_DEFAULTS, []);
  const seen: SeenFiles = new Map();
  const before = await hasher.hashInputs(root, ["a.ts"], seen);
  write("package.json", `{ "name": "changed" }`);
  expect(await hasher.hashInputs(root, ["a.ts"], seen)).toBe(before);
  expect(await hasher.hashInputs(root, ["a.ts"], new Map())).not.toBe(before);
  write("package.json", "{}");
  expect(await hasher.hashInputs(root, ["a.ts"])).toBe(before);
  rmSync(join(root, "package.json"));
  expect(await hasher.hashInputs(root, ["a.ts"])).not.toBe(before);
});

test("a file that cannot be read is neither a missing one nor what it was before, whatever fails", async () => {
  writeFileSync(join(root, "a.ts"), "a");
  const hashes = new Set<string>();
  const good = createFileHasher(DAG_DEFAULTS, []);
  hashes.add(await good.hashInputs(root, ["a.ts"]));
  for (const errno of ["EACCES", "EIO", "ENOENT"])
    hashes.add(await createFileHasher(DAG_DEFAULTS, [], failingReads({ "a.ts$": errno })).hashInputs(root, ["a.ts"]));
  expect(hashes.size).toBe(4);
});
