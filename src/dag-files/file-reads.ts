import { type BigIntStats, constants, type Dirent, type Stats } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";

/** A larger input is data, not code. The bundler copies each input several times. */
export const FILE_MAX_BYTES = 16 * 1024 * 1024;
const MORE_BYTES = 64 * 1024;

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
  read: readRegularFile,
  realpath: (path) => realpath(path),
  stat: (path) => stat(path, { bigint: true }),
};

/**
 * Every file that an author may have made is read by this function: a named pipe or a device would block its reader for ever, and a
 * file may be larger than the memory. Rejects with the errno, `EFTYPE` for what is not a regular file, and `EFBIG`.
 */
export async function readRegularFile(path: string): Promise<Buffer> {
  // A named pipe that has no writer blocks already when it is opened, except with O_NONBLOCK.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw fileError(facts.isDirectory() ? "EISDIR" : "EFTYPE", `it is ${nameOfType(facts)}`, path);
    const parts: Buffer[] = [];
    let total = 0;
    // It may grow while it is read, and files of /proc say that they are empty.
    for (let wanted = Math.min(facts.size, FILE_MAX_BYTES) + 1; total <= FILE_MAX_BYTES; wanted = MORE_BYTES) {
      if (facts.size > FILE_MAX_BYTES) break;
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, null);
      if (bytesRead === 0) return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
      parts.push(buffer.subarray(0, bytesRead));
      total += bytesRead;
    }
    const size = Math.max(facts.size, total);
    throw fileError("EFBIG", `it has ${size} bytes, and at most ${FILE_MAX_BYTES} are allowed`, path);
  } finally {
    await handle.close();
  }
}

function nameOfType(facts: Stats): string {
  if (facts.isDirectory()) return "a folder";
  if (facts.isFIFO()) return "a named pipe";
  return facts.isSocket() ? "a socket" : "a device";
}

function fileError(code: string, reason: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${reason}`), { code, path });
}

/** Whether nothing exists at the path. After any other error something may exist there, so it must not be treated as absent. */
export function isAbsent(error: unknown): boolean {
  return /^(?:ENOENT|ENOTDIR)$/.test(errnoOf(error));
}

export function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? "unknown";
}

/** Whether an error of `readRegularFile` says that the file is too large. */
export function kindOfUnread(error: unknown): "too_large" | "unreadable" {
  return errnoOf(error) === "EFBIG" ? "too_large" : "unreadable";
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
    case "EFTYPE":
    case "ENXIO":
      return "only regular files are read: put one in its place, or remove it";
    case "EFBIG":
      return "read data at run time, inside tasks";
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
