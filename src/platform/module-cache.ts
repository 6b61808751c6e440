import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, realpath, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { BaramError, toError } from "./errors.ts";
import { FILE_MODE, FOLDER_MODE } from "./file-modes.ts";

/** The code of one DAG file as one ES module. `hash` is the SHA-256 of `code`, hex; `externals` are npm package names. */
export type BundledModule = { hash: string; code: string; externals: string[] };

export const MODULE_FILE = "dag.mjs";

/**
 * The modes of what is in a module cache. Where others may enter the cache, they may read it: the user of [workers] run_as_user loads
 * modules from it. Only its owner may change anything.
 */
async function modesIn(cacheDir: string): Promise<{ folder: number; file: number }> {
  const isShared = ((await stat(cacheDir)).mode & 0o001) !== 0;
  return isShared ? { folder: 0o755, file: 0o644 } : { folder: FOLDER_MODE, file: FILE_MODE };
}

/**
 * Writes a module to `<cacheDir>/<hash>/dag.mjs`, next to a `node_modules` with links to the packages it imports: `baram`
 * is this installation; others are searched from each folder of `resolveFrom` upwards, as Node does. Returns the
 * module's path. Safe to call from many processes at once: the folder appears complete or not at all, and a damaged
 * one is replaced.
 *
 * Throws `module_hash_mismatch` if the code does not match the hash, and `module_package_missing`, naming all missing packages and
 * the folders in which they can be installed.
 */
export async function materializeModule(
  module: BundledModule,
  cacheDir: string,
  resolveFrom: readonly string[],
): Promise<string> {
  assertHash(module);
  const links = await findPackages([...new Set(["baram", ...module.externals])], resolveFrom);
  const folder = join(cacheDir, module.hash);
  const path = join(folder, MODULE_FILE);
  // Marked as used before it is checked: pruning skips modules that were used recently.
  await utimes(path, new Date(), new Date()).catch(() => {});
  if (await isIntact(folder, module, links)) return path;

  await mkdir(cacheDir, { recursive: true, mode: FOLDER_MODE });
  const draft = join(cacheDir, `.draft-${randomUUID()}`);
  try {
    await writeFolder(draft, module.code, links);
    await moveInto(draft, folder, () => isIntact(folder, module, links));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return path;
}

/** The folder of this installation: the nearest parent folder whose package.json has the name "baram". */
export function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== parse(folder).root) {
    if (isBaramPackage(join(folder, "package.json"))) return folder;
    folder = dirname(folder);
  }
  throw new BaramError(
    "installation_broken",
    `no package.json named "baram" above ${fileURLToPath(import.meta.url)}: install Baram again`,
  );
}

type Link = { name: string; target: string };

function assertHash(module: BundledModule): void {
  const actual = sha256(module.code);
  if (actual === module.hash) return;
  const message = `the module's code has the hash ${actual}, not ${module.hash}: it was modified or truncated in transit`;
  throw new BaramError("module_hash_mismatch", message, { expected: module.hash, actual });
}

function isBaramPackage(path: string): boolean {
  if (!existsSync(path)) return false;
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  return typeof parsed === "object" && parsed !== null && "name" in parsed && parsed.name === "baram";
}

async function findPackages(names: readonly string[], resolveFrom: readonly string[]): Promise<Link[]> {
  const links: Link[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const target = await findPackage(name, resolveFrom);
    if (target === null) missing.push(name);
    else links.push({ name, target });
  }
  if (missing.length === 0) return links;
  const install = `"npm install ${missing.join(" ")}"`;
  const remedy = resolveFrom.map((folder) => `${install} in ${folder}`).join(" or ") || "name a folder to resolve from";
  const what =
    missing.length === 1
      ? `the npm package "${missing[0]}", which is not bundled and not installed here`
      : `the npm packages ${missing.map((name) => `"${name}"`).join(", ")}, which are not bundled and not installed here`;
  throw new BaramError("module_package_missing", `the DAG needs ${what}; run ${remedy}`, { packages: missing, resolveFrom });
}

async function findPackage(name: string, resolveFrom: readonly string[]): Promise<string | null> {
  if (name === "baram") return realpath(findPackageRoot());
  for (const start of resolveFrom) {
    for (let folder = start; ; folder = dirname(folder)) {
      const candidate = join(folder, "node_modules", name);
      if (existsSync(join(candidate, "package.json"))) return realpath(candidate);
      if (folder === parse(folder).root) break;
    }
  }
  return null;
}

async function writeFolder(folder: string, code: string, links: readonly Link[]): Promise<void> {
  const modes = await modesIn(dirname(folder));
  const packages = join(folder, "node_modules");
  await makeFolder(folder, modes.folder);
  await makeFolder(packages, modes.folder);
  await writeFile(join(folder, MODULE_FILE), code);
  await chmod(join(folder, MODULE_FILE), modes.file);
  for (const { name, target } of links) {
    const link = join(packages, name);
    if (dirname(link) !== packages) await makeFolder(dirname(link), modes.folder);
    await symlink(target, link, "dir");
  }
}

/** With exactly this mode, whatever the umask. */
async function makeFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

async function isIntact(folder: string, module: BundledModule, links: readonly Link[]): Promise<boolean> {
  try {
    if (sha256(await readFile(join(folder, MODULE_FILE), "utf8")) !== module.hash) return false;
    const targets = await Promise.all(links.map(({ name }) => realpath(join(folder, "node_modules", name))));
    return targets.every((target, index) => target === links[index]?.target);
  } catch {
    return false;
  }
}

/** Renames a folder into place. If another process was faster, its folder is kept if it is intact, otherwise replaced. */
async function moveInto(draft: string, folder: string, isIntactThere: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return await rename(draft, folder);
    } catch (error) {
      const code = (toError(error) as NodeJS.ErrnoException).code;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    }
    if (await isIntactThere()) return;
    const aside = `${draft}-replaced`;
    // Another process may move it away first; then the next rename finds the path free.
    await rename(folder, aside).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
  }
  throw new BaramError("module_cache_busy", `could not put a module into ${folder}: other processes keep replacing it`, {
    folder,
  });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
