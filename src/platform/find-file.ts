import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { createGlobMatcher } from "./match-glob.ts";

/** The first file that matches a path or glob (`*`, `?`, `**`), or undefined. A folder matches if it contains a file. */
export async function findFile(path: string, recursive: boolean): Promise<string | undefined> {
  return /[*?[{]/.test(path) ? findByGlob(path) : findByPath(path, recursive);
}

async function findByPath(path: string, recursive: boolean): Promise<string | undefined> {
  const facts = await stat(path).catch(ignoreAbsence);
  if (facts === undefined) return undefined;
  if (!facts.isDirectory()) return path;
  const entries = await readdir(path, { withFileTypes: true, recursive });
  const file = entries.find((entry) => !entry.isDirectory());
  return file === undefined ? undefined : join(file.parentPath, file.name);
}

async function findByGlob(pattern: string): Promise<string | undefined> {
  const absolute = resolve(pattern);
  const parts = absolute.split(sep);
  const firstWild = parts.findIndex((part) => /[*?[{]/.test(part));
  const root = parts.slice(0, firstWild).join(sep) || sep;
  // Without ** only files at the pattern's depth can match: do not walk a whole tree for "data/*.csv".
  const recursive = parts.length - firstWild > 1 || absolute.includes("**");
  const entries = await readdir(root, { withFileTypes: true, recursive }).catch(ignoreAbsence);
  const paths = (entries ?? []).filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return paths.sort().find(createGlobMatcher(absolute));
}

function ignoreAbsence(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}
