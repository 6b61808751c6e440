import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import nodeModule from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createModuleCheck, importModule } from "./import-module.ts";
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

test.each([
  {
    what: "where others may enter the cache they can read a module, and not change it",
    cache: 0o755,
    modes: ["644", "755", "755"],
  },
  { what: "where they may not, a module is its owner's alone", cache: 0o700, modes: ["600", "700", "700"] },
])("$what, whatever the umask", async ({ cache, modes }) => {
  await mkdir(join(folder, "cache"));
  await chmod(join(folder, "cache"), cache);
  for (const umask of [0o077, 0]) {
    const before = process.umask(umask);
    try {
      const path = await materializeModule(moduleOf(`export const x = ${umask};`), join(folder, "cache"), []);
      const found = await Promise.all([path, dirname(path), join(dirname(path), "node_modules")].map((one) => stat(one)));
      expect(found.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(modes);
    } finally {
      process.umask(before);
    }
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

test("a module is imported as it was stored, with its place and its packages; also through a link to the cache", async () => {
  const module = moduleOf(
    'import { readFileSync } from "node:fs"; import * as baram from "baram"; export const at = import.meta.url, isBaram = "dag" in baram;',
  );
  const path = await materializeModule(module, join(folder, "cache"), []);
  await symlink(join(folder, "cache"), join(folder, "link"));
  for (const one of [path, join(folder, "link", module.hash, "dag.mjs")])
    expect(await importModule(one)).toMatchObject({ at: pathToFileURL(await realpath(path)).href });
});

test("a module that somebody changed in the cache is not run", async () => {
  const module = moduleOf("globalThis.ranModule = 'own';");
  const path = await materializeModule(module, folder, []);
  await writeFile(path, "globalThis.ranModule = 'foreign';");
  await expect(importModule(path)).rejects.toMatchObject({
    code: "module_hash_mismatch",
    message: expect.stringContaining(path),
  });
  expect(globalThis).not.toHaveProperty("ranModule");
});

test("what was checked is what is imported: code that is swapped in after the check is not run", async () => {
  const load = `
    import fs from "node:fs"; import { pathToFileURL } from "node:url";
    const [, , entry, path] = process.argv;
    const { importModule } = await import(pathToFileURL(entry).href);
    const { readFile } = fs.promises;
    // Held between the check and the import: the file is changed as soon as it was read.
    const hash = (await import("node:crypto")).default;
    const { createHash } = hash;
    hash.createHash = (...given) => { fs.writeFileSync(path, "console.log('foreign')"); return createHash(...given); };
    (await import("node:module")).syncBuiltinESMExports();
    await importModule(path).catch((error) => console.log(error.code));`;
  const module = moduleOf("console.log('own');");
  const path = await materializeModule(module, folder, []);
  const entry = join(findPackageRoot(), "dist/platform/import-module.js");
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", load, "x", entry, path], { encoding: "utf8" });
  // Node.js 20 has no hooks in the same thread and reads the file again: see import-module.ts.
  expect(output.trim()).toBe("registerHooks" in nodeModule ? "own" : "foreign");
});

test("a check reads a module again only after it was touched, and tells of a change", async () => {
  const check = createModuleCheck();
  const module = moduleOf("export const x = 5;");
  const path = await materializeModule(module, folder, []);
  await check(path);
  await check(path);
  await writeFile(path, "export const x = 6;");
  await expect(check(path)).rejects.toMatchObject({ code: "module_hash_mismatch" });
  await expect(check(path)).rejects.toMatchObject({ code: "module_hash_mismatch" });
  await materializeModule(module, folder, []);
  await check(path);
});
