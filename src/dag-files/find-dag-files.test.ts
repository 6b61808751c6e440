import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failingReads } from "../../tests/support/failing-reads.ts";
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
  await symlink("ada@host.1234", join(folder, ".#locked.ts"));
  await symlink(join(outside, "evil.ts"), join(folder, "left-out.ts"));
  await write(".baramignore", "left-out.ts");
  await symlink(folder, join(folder, "a", "circle"));
  await symlink(join(folder, "a", "dag.ts"), join(folder, "inside.ts"));
  const found = await findDagFiles(folder);
  expect(found.files).toEqual(["a/dag.ts", "inside.ts"]);
  expect(found.refused).toEqual([".#locked.ts", "broken.ts", "evil.ts", "out"]);
  expect(found.refusedFiles).toEqual(["broken.ts", "evil.ts"]);
  await rm(outside, { recursive: true });
});

test("a folder that is not there is an error, not an empty one", async () => {
  await expect(findDagFiles(join(folder, "missing"))).rejects.toThrow("ENOENT");
});

test.each(["EACCES", "EIO", "EMFILE"])(
  "a folder below that cannot be read (%s) is reported, and not treated as an empty one",
  async (errno) => {
    for (const path of ["a.ts", "team/b.ts", "team/deep/c.ts"]) await write(path);
    const found = await findDagFiles(folder, failingReads({ "/team$": errno }));
    expect(found.files).toEqual(["a.ts"]);
    expect(found.folders).toHaveLength(1);
    expect(found.unread).toEqual([
      { path: "team", reason: expect.stringMatching(`/team cannot be read: ${errno} \\(a reason\\); .{20}`) },
    ]);
    await expect(findDagFiles(folder, failingReads({ "find dags [^/]*$": errno }))).rejects.toThrow(errno);
  },
);

test("a folder that was removed while it was looked at has no files", async () => {
  await write("team/b.ts");
  expect(await findDagFiles(folder, failingReads({ "/team$": "ENOENT" }))).toMatchObject({ files: [], unread: [] });
});

test("a folder whose .baramignore cannot be read is not looked at: what it leaves out is not known", async () => {
  for (const path of ["a.ts", "team/b.ts", "dir/d.ts", "link/e.ts"]) await write(path);
  await write("team/.baramignore", "b.ts");
  await mkdir(join(folder, "dir", ".baramignore"));
  await symlink("nowhere", join(folder, "link", ".baramignore"));
  const found = await findDagFiles(folder, failingReads({ "team/.baramignore$": "EACCES" }));
  expect(found.files).toEqual(["a.ts"]);
  expect(
    found.unread.map(({ path, reason }) => `${path} ${/(\S+) cannot be read: (\w+)/.exec(reason)?.slice(1).join(" ")}`),
  ).toEqual([
    expect.stringMatching(/^dir .*dir\/.baramignore EISDIR$/),
    expect.stringMatching(/^link .*link\/.baramignore ENOENT$/),
    expect.stringMatching(/^team .*team\/.baramignore EACCES$/),
  ]);
  await write(".baramignore", "a.ts");
  await expect(findDagFiles(folder, failingReads({ "find dags [^/]*/.baramignore$": "EACCES" }))).rejects.toThrow("EACCES");
});

test("a link whose target cannot be looked at may be a DAG file: it is told of, and not refused", async () => {
  await write("a.ts");
  await symlink(join(folder, "a.ts"), join(folder, "b.ts"));
  await symlink(join(folder, "c.ts"), join(folder, "c.ts"));
  const found = await findDagFiles(folder, failingReads({ "/b.ts$": "EACCES" }));
  expect(found).toMatchObject({ files: ["a.ts"], refused: ["c.ts"], unread: [{ path: "b.ts" }] });
});

test.skipIf(process.getuid?.() === 0)("a folder without permission is unread", async () => {
  await write("team/b.ts");
  await chmod(join(folder, "team"), 0);
  expect((await findDagFiles(folder)).unread).toMatchObject([{ path: "team" }]);
  await chmod(join(folder, "team"), 0o700);
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
