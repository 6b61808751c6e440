import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findDagFiles } from "./find-dag-files.ts";
import { isIgnored, parseIgnoreRules } from "./ignore-rules.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "find dags "));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, text = ""): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

test("finds the four extensions in every subfolder, and nothing that is no DAG file", async () => {
  for (const path of ["a.ts", "sub/b.mts", "sub/deep/c.js", "d.mjs"]) await write(path);
  for (const path of ["a.d.ts", "a.test.ts", "e.cjs", "f.json", "node_modules/x/g.js", ".git/h.ts", "sub/.hidden/i.ts"])
    await write(path);
  const found = await findDagFiles(folder);
  expect(found.files).toEqual(["a.ts", "d.mjs", "sub/b.mts", "sub/deep/c.js"]);
  expect(found.folders.map((path) => path.slice(found.folders[0]?.length))).toEqual(["", "/sub", "/sub/deep"]);
});

test(".baramignore leaves files and folders out, in its own folder and below", async () => {
  for (const path of ["keep.ts", "old/a.ts", "x_draft.ts", "team/old/b.ts", "team/skip.ts", "team/keep.ts"]) await write(path);
  await write(".baramignore", "# comment\n/old/\n*_draft.ts\n");
  await write("team/.baramignore", "skip.ts\n");
  expect((await findDagFiles(folder)).files).toEqual(["keep.ts", "team/keep.ts", "team/old/b.ts"]);
});

test("links that leave the folder, lead nowhere or go in circles are not followed", async () => {
  const outside = await mkdtemp(join(tmpdir(), "outside-"));
  await writeFile(join(outside, "evil.ts"), "");
  await write("a/dag.ts");
  await symlink(join(outside, "evil.ts"), join(folder, "evil.ts"));
  await symlink(outside, join(folder, "out"));
  await symlink(join(folder, "nowhere"), join(folder, "broken.ts"));
  await symlink(folder, join(folder, "a", "circle"));
  await symlink(join(folder, "a", "dag.ts"), join(folder, "inside.ts"));
  const found = await findDagFiles(folder);
  expect(found.files).toEqual(["a/dag.ts", "inside.ts"]);
  expect(found.refused).toEqual(["broken.ts", "evil.ts", "out"]);
  await rm(outside, { recursive: true });
});

test("a folder that is not there is an error, not an empty one", async () => {
  await expect(findDagFiles(join(folder, "missing"))).rejects.toThrow("ENOENT");
});

describe("ignore rules", () => {
  test.each([
    ["*.ts", "sub/a.ts", true],
    ["/*.ts", "sub/a.ts", false],
    ["sub/*.ts", "sub/a.ts", true],
    ["sub/*.ts", "sub/deep/a.ts", false],
    ["sub/**/a.ts", "sub/x/y/a.ts", true],
    ["**/a.ts", "a.ts", true],
    ["v?.ts", "v1.ts", true],
    ["v[0-9].ts", "v1.ts", true],
    ["v[!0-9].ts", "v1.ts", false],
    ["a.ts", "axts", false],
    ["a+(b).ts", "a+(b).ts", true],
  ])("%s and %s: %s", (line, path, ignored) => {
    expect(isIgnored(parseIgnoreRules(line, ""), path, false)).toBe(ignored);
  });
  test("the last rule that matches decides", () => {
    const rules = parseIgnoreRules("*.ts\n!keep.ts", "");
    expect(isIgnored(rules, "keep.ts", false)).toBe(false);
    expect(isIgnored(rules, "other.ts", false)).toBe(true);
  });
});
