import type { Dirent } from "node:fs";
import { join, sep } from "node:path";
import { describeUnreadable, errnoOf, type FileReads, fileReads, isAbsent } from "./file-reads.ts";
import { type IgnoreRule, isIgnored, parseIgnoreRules } from "./ignore-rules.ts";

const IGNORE_FILE = ".baramignore";
const DAG_FILE = /\.(?:ts|mts|js|mjs)$/;
const NOT_A_DAG_FILE = /\.d\.(?:ts|mts)$|\.test\.(?:ts|mts|js|mjs)$/;

/**
 * `files` and `refused` are relative to the folder, with `/`, sorted. `folders` are absolute and include the folder itself.
 * `identities` are those of the folders (`folder-identities.ts`).
 */
export type FoundDagFiles = {
  files: string[];
  folders: string[];
  /** Symbolic links that point outside of the folder or to nothing: never followed. */
  refused: string[];
  /** Those of them with the name of a DAG file. Editors lock a file by a link that points to nothing and begins with a dot. */
  refusedFiles: string[];
  /** Paths that could not be read, relative to the folder, and the reasons: there may be DAG files at or below them. */
  unread: { path: string; reason: string }[];
  identities: Map<string, string>;
};

/**
 * The DAG files below a folder: `.ts`, `.mts`, `.js`, `.mjs`, without declarations, tests, `node_modules`, dot folders and files
 * that `.baramignore` excludes. A folder whose `.baramignore` cannot be read is not searched, since the excluded files are
 * unknown. Rejects if this is the folder itself, or if the folder cannot be read.
 */
export async function findDagFiles(folder: string, reads: FileReads = fileReads): Promise<FoundDagFiles> {
  const root = await reads.realpath(folder);
  const found: FoundDagFiles = { files: [], folders: [], refused: [], refusedFiles: [], unread: [], identities: new Map() };
  await walk({ root, reads, found, visited: new Set() }, root, "", []);
  for (const list of [found.files, found.folders, found.refused, found.refusedFiles]) list.sort();
  return found;
}

type Walk = { root: string; reads: FileReads; found: FoundDagFiles; visited: Set<string> };

async function walk(context: Walk, folder: string, base: string, inherited: readonly IgnoreRule[]): Promise<void> {
  const { found, reads, visited } = context;
  if (visited.has(folder)) return;
  visited.add(folder);
  let entries: Dirent[];
  let rules = inherited;
  let path = folder;
  try {
    entries = await reads.list(folder);
    const { dev, ino } = await reads.stat(folder);
    found.identities.set(base, `${dev}:${ino}`);
    const ignoreFile = entries.find((entry) => entry.name === IGNORE_FILE);
    if (ignoreFile) {
      path = join(folder, IGNORE_FILE);
      rules = [...inherited, ...parseIgnoreRules(await readIgnoreFile(reads, path, ignoreFile), base)];
    }
  } catch (error) {
    if (base === "") throw error;
    // Removed after the parent folder was listed.
    if (path === folder && isAbsent(error)) return;
    found.unread.push({ path: base, reason: describeUnreadable(path, error) });
    return;
  }
  found.folders.push(folder);
  for (const entry of entries) {
    const relativePath = base === "" ? entry.name : `${base}/${entry.name}`;
    const kind = await kindOf(context, entry, relativePath);
    if (kind === null || isIgnored(rules, relativePath, kind.isFolder)) continue;
    if (kind.isRefused) {
      found.refused.push(relativePath);
      if (isDagFile(entry.name) && !entry.name.startsWith(".")) found.refusedFiles.push(relativePath);
    } else if (!kind.isFolder) {
      if (isDagFile(entry.name)) found.files.push(relativePath);
    } else if (entry.name !== "node_modules" && !entry.name.startsWith(".")) {
      await walk(context, kind.realPath, relativePath, rules);
    }
  }
}

function isDagFile(name: string): boolean {
  return DAG_FILE.test(name) && !NOT_A_DAG_FILE.test(name);
}

/** null = neither a file nor a folder, or unread. `isRefused`: a link that is not followed. */
async function kindOf(
  { root, reads, found }: Walk,
  entry: Dirent,
  relativePath: string,
): Promise<{ isFolder: boolean; isRefused?: boolean; realPath: string } | null> {
  const path = join(entry.parentPath, entry.name);
  if (entry.isDirectory()) return { isFolder: true, realPath: path };
  if (entry.isFile()) return { isFolder: false, realPath: path };
  if (!entry.isSymbolicLink()) return null;
  try {
    const target = await reads.realpath(path);
    if (target === root || target.startsWith(root + sep)) {
      return { isFolder: (await reads.stat(target)).isDirectory(), realPath: target };
    }
  } catch (error) {
    // A link that points to nothing, or back to itself, is refused like one that points outside.
    if (!isAbsent(error) && errnoOf(error) !== "ELOOP") {
      found.unread.push({ path: relativePath, reason: describeUnreadable(path, error) });
      return null;
    }
  }
  return { isFolder: false, isRefused: true, realPath: path };
}

async function readIgnoreFile(reads: FileReads, path: string, entry: Dirent): Promise<string> {
  try {
    return (await reads.read(path)).toString("utf8");
  } catch (error) {
    // A link that points to nothing is kept; a file was removed after the folder was listed.
    if (isAbsent(error) && !entry.isSymbolicLink()) return "";
    throw error;
  }
}
