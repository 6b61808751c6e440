import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPackageRoot, materializeModule } from "./module-cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "module cache "));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function moduleOf(code: string, externals: string[] = []) {
  return { code, externals, hash: createHash("sha256").update(code).digest("hex") };
}

test("writes the module beside links to baram and to its packages", async () => {
  await mkdir(join(folder, "dags/node_modules/@scope/native"), { recursive: true });
  await writeFile(join(folder, "dags/node_modules/@scope/native/package.json"), "{}");
  const module = moduleOf("export const x = 1;", ["baram", "@scope/native"]);
  const path = await materializeModule(module, join(folder, "cache"), [join(folder, "dags/team")]);
  expect(await readFile(path, "utf8")).toBe(module.code);
  expect(await realpath(join(dirname(path), "node_modules/baram"))).toBe(await realpath(findPackageRoot()));
  expect(await realpath(join(dirname(path), "node_modules/@scope/native"))).toBe(
    await realpath(join(folder, "dags/node_modules/@scope/native")),
  );
});

test("another user can read a module and not change it, whatever the umask", async () => {
  const before = process.umask(0o077);
  try {
    const path = await materializeModule(moduleOf("export const x = 3;"), join(folder, "cache"), []);
    const modes = await Promise.all([path, dirname(path), join(dirname(path), "node_modules")].map((one) => stat(one)));
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(["644", "755", "755"]);
  } finally {
    process.umask(before);
  }
});

test("many at once leave one intact module and nothing else", async () => {
  const module = moduleOf("export const x = 2;");
  const paths = await Promise.all(Array.from({ length: 20 }, () => materializeModule(module, folder, [])));
  expect(new Set(paths).size).toBe(1);
  expect(await readdir(folder)).toEqual([module.hash]);
});

test("a module damaged on disk is replaced", async () => {
  const module = moduleOf("export const x = 3;");
  const path = await materializeModule(module, folder, []);
  await writeFile(path, "export const x = 4;");
  await Promise.all(Array.from({ length: 5 }, () => materializeModule(module, folder, [])));
  expect(await readFile(path, "utf8")).toBe(module.code);
  expect(await readdir(folder)).toEqual([module.hash]);
});

test("code that is not what the hash says is refused", async () => {
  await expect(materializeModule({ ...moduleOf("a"), code: "b" }, folder, [])).rejects.toThrow("modified or truncated");
  expect(await readdir(folder)).toEqual([]);
});

test("missing packages are named, all of them, with the place where they are to be installed", async () => {
  const place = (externals: string[]) => materializeModule(moduleOf("a", externals), join(folder, "cache"), [folder]);
  await expect(place(["@duckdb/none"])).rejects.toThrow(
    `needs the npm package "@duckdb/none", which is not bundled and not installed here; run "npm install @duckdb/none" in ${folder}`,
  );
  await expect(place(["@duckdb/none", "sharp-none"])).rejects.toThrow(
    `needs the npm packages "@duckdb/none", "sharp-none", which are not bundled and not installed here; run "npm install @duckdb/none sharp-none" in ${folder}`,
  );
});
