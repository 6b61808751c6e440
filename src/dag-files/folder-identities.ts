import { posix } from "node:path";

/**
 * Which folders a scan looked at, by their path relative to the bundle ("" = its own), and what tells a folder from another in
 * its place: device and inode.
 */
export type FolderIdentities = ReadonlyMap<string, string>;

/**
 * Whether a file that is missing was deleted, as far as can be seen: the folder that it was in is the one that was looked at before, or
 * is gone itself from one that is. Else another folder stands in its place: a volume was unmounted, a release was put in. What is missing there may
 * come.
 */
export function wasDeleted(file: string, before: FolderIdentities, now: FolderIdentities): boolean {
  for (let folder = parentOf(file); ; folder = parentOf(folder)) {
    const identity = now.get(folder);
    if (identity !== undefined) return before.get(folder) === identity;
    if (folder === "") return false;
  }
}

function parentOf(path: string): string {
  const parent = posix.dirname(path);
  return parent === "." ? "" : parent;
}
