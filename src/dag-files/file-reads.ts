import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";

/** How DAG folders are read. A test gives one that fails, since root, as which tests may run, is refused nothing. */
export type FileReads = {
  /** A folder's entries. */
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

/** There is nothing at that path. Any other failure leaves open what is there: it must not be taken for nothing. */
export function isAbsent(error: unknown): boolean {
  return /^(?:ENOENT|ENOTDIR)$/.test(errnoOf(error));
}

export function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? "unknown";
}

/** What cannot be read, why, and what to do. `path` as a person finds it. */
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
      return "its symbolic links go in a circle: mend or remove them";
    case "ENOENT":
      return "the symbolic link leads nowhere: mend or remove it";
    case "ENAMETOOLONG":
      return "its name is longer than the file system allows: shorten it";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open: raise the limit of open files (ulimit -n)";
    default:
      return "look at the file system that it is on, and at its mount";
  }
}
