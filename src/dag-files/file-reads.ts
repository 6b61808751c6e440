import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";

/** Access to DAG folders. Tests can replace it by one that fails: they may run as root, which is never denied access. */
export type FileReads = {
  /** The entries of a folder. */
  list(folder: string): Promise<Dirent[]>;
  read(path: string): Promise<Buffer>;
  realpath(path: string): Promise<string>;
  stat(path: string): Promise<BigIntStats>;
};

export const fileReads: FileReads = {
  list: (folder) => readdir(folder, { withFileTypes: true }),
  read: (path) => readFile(path),
  realpath: (path) => realpath(path),
  stat: (path) => stat(path, { bigint: true }),
};

/** Whether nothing exists at the path. After any other error something may exist there, so it must not be treated as absent. */
export function isAbsent(error: unknown): boolean {
  return /^(?:ENOENT|ENOTDIR)$/.test(errnoOf(error));
}

export function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? "unknown";
}

/** Describes a path that cannot be read: the reason and the remedy. `path` as people know it. */
export function describeUnreadable(path: string, error: unknown): string {
  const errno = errnoOf(error);
  const reason = (error instanceof Error ? error.message : String(error)).replace(/^\w+: /, "").replace(/, \w+(?: '.*')?$/, "");
  return `${path} cannot be read: ${errno} (${reason}); ${remedyOf(errno)}`;
}

export function remedyOf(errno: string): string {
  switch (errno) {
    case "EACCES":
    case "EPERM":
      return `let the user that runs the dag-processor (uid ${process.getuid?.() ?? "unknown"}) read it and enter its folders`;
    case "EISDIR":
      return "it is a folder: put a file in its place, or remove it";
    case "ELOOP":
      return "its symbolic links form a cycle: fix or remove them";
    case "ENOENT":
      return "the symbolic link points to nothing: fix or remove it";
    case "ENAMETOOLONG":
      return "its name is longer than the file system allows: shorten it";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open: raise the limit of open files (ulimit -n)";
    default:
      return "check its file system and the mount";
  }
}
