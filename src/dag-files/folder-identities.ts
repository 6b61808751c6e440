import { posix } from "node:path";

/**
 * The folders that a scan read, by their path relative to the bundle ("" = the bundle's own), with device and inode, which
 * distinguish a folder from another one at the same path.
 */
export type FolderIdentities = ReadonlyMap<string, string>;

/**
 * Whether a missing file was probably deleted: its folder is the one that was read before, or the folder itself was deleted from
 * one that was. Otherwise another folder has the same path: a volume was unmounted, or a release was deployed. A file that is
 * missing there may still appear.
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
