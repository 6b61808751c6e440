import type { Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { type IgnoreRule, isIgnored, parseIgnoreRules } from "./ignore-rules.ts";

const IGNORE_FILE = ".baramignore";
const DAG_FILE = /\.(?:ts|mts|js|mjs)$/;
const NOT_A_DAG_FILE = /\.d\.(?:ts|mts)$|\.test\.(?:ts|mts|js|mjs)$/;

/** `files` and `refused` are relative to the folder, with `/`, sorted; `folders` are absolute, the folder itself included. */
export type FoundDagFiles = {
  files: string[];
  folders: string[];
  /** Symbolic links that lead out of the folder or nowhere: never followed. */
  refused: string[];
};

/**
 * The DAG files below a folder: `.ts`, `.mts`, `.js`, `.mjs`, without declarations, tests, `node_modules`, dot folders and
 * what `.baramignore` files leave out. Rejects when the folder itself cannot be read.
 */
export async function findDagFiles(folder: string): Promise<FoundDagFiles> {
  const root = await realpath(folder);
  const found: FoundDagFiles = { files: [], folders: [], refused: [] };
  await walk({ root, found, visited: new Set() }, root, "", []);
  for (const list of [found.files, found.folders, found.refused]) list.sort();
  return found;
}

type Walk = { root: string; found: FoundDagFiles; visited: Set<string> };

async function walk(context: Walk, folder: string, base: string, inherited: readonly IgnoreRule[]): Promise<void> {
  if (context.visited.has(folder)) return;
  context.visited.add(folder);
  context.found.folders.push(folder);
  const entries = base === "" ? await readdir(folder, { withFileTypes: true }) : await readFolder(folder);
  const rules = entries.some((entry) => entry.name === IGNORE_FILE)
    ? [...inherited, ...(await readRules(folder, base))]
    : inherited;
  for (const entry of entries) {
    const relativePath = base === "" ? entry.name : `${base}/${entry.name}`;
    const kind = await kindOf(context, entry, relativePath);
    if (kind === null || isIgnored(rules, relativePath, kind.isFolder)) continue;
    if (!kind.isFolder) {
      if (DAG_FILE.test(entry.name) && !NOT_A_DAG_FILE.test(entry.name)) context.found.files.push(relativePath);
    } else if (entry.name !== "node_modules" && !entry.name.startsWith(".")) {
      await walk(context, kind.realPath, relativePath, rules);
    }
  }
}

async function kindOf(
  context: Walk,
  entry: Dirent,
  relativePath: string,
): Promise<{ isFolder: boolean; realPath: string } | null> {
  const path = join(entry.parentPath, entry.name);
  if (entry.isDirectory()) return { isFolder: true, realPath: path };
  if (entry.isFile()) return { isFolder: false, realPath: path };
  if (!entry.isSymbolicLink()) return null;
  try {
    const target = await realpath(path);
    if (target === context.root || target.startsWith(context.root + sep)) {
      return { isFolder: (await stat(target)).isDirectory(), realPath: target };
    }
  } catch {
    // Leads nowhere: refused like one that leads out.
  }
  context.found.refused.push(relativePath);
  return null;
}

/** A folder that was removed between the listing and now has no entries. */
async function readFolder(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

async function readRules(folder: string, base: string): Promise<IgnoreRule[]> {
  return parseIgnoreRules(await readFile(join(folder, IGNORE_FILE), "utf8").catch(() => ""), base);
}
