/**
 * Opens logs below a folder without following a link: a task may run as the user that writes and reads its log, or on a host that
 * shares the folder, and could put a link to a secret in the log's place. Each folder of the path is opened by its name in the one
 * before, and the file by its name in the last, so nothing that is swapped in the meantime leads elsewhere. Node has no `openat`; on
 * Linux, `/proc/self/fd/<folder>/<name>` does the same. Elsewhere the names are joined: a link that is there is refused as well, but
 * one that is swapped in between two steps is not seen.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { BaramError, FILE_MODE, FOLDER_MODE } from "../platform/index.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const ASIDE = ".old";
const HAS_DESCRIPTORS = existsSync("/proc/self/fd");

export type LogPlace = {
  /** Its folder was made just now, so nothing is in it. */
  readonly isFresh: boolean;
  /** A path that leads to the log, or to the file next to it whose name has this suffix, while the place is open. */
  at(suffix?: string): string;
  close(): void;
};

export type LogPlaces = {
  /**
   * Opens the folder of a log, and makes it if need be. `isNew`: it is probably missing; only a hint, that saves the time of finding
   * out. Throws `log_path_invalid` and `log_file_refused`.
   */
  open(path: string, isNew?: boolean): LogPlace;
  /** Closes what is kept open for the next place. */
  release(): void;
};

/**
 * Opens places of logs one after the other. The folder in which the last new one was made stays open until `release`: the tries of a
 * run have their folders side by side.
 */
export function createLogPlaces(folder: string): LogPlaces {
  let kept: { path: string; fd: number } | null = null;

  function release(): void {
    if (kept !== null) closeSync(kept.fd);
    kept = null;
  }

  function makeBelowKept(root: string, folders: readonly string[]): Folder {
    const above = folders.slice(0, -1);
    const path = join(root, ...above);
    if (kept?.path !== path) {
      release();
      kept = { path, fd: openFolders(root, above).fd };
    }
    const last = folders.at(-1) ?? "";
    return makeAndOpenFolder(below(kept.fd, path, last), join(path, last));
  }

  return {
    release,
    open(path, isNew = false) {
      const { root, folders, name } = partsOf(folder, path);
      let opened: Folder;
      if (!isNew || folders.length === 0) opened = openFolders(root, folders);
      else {
        try {
          opened = makeBelowKept(root, folders);
        } catch (error) {
          // What was kept may have been removed.
          release();
          if (codeOf(error) !== "ENOENT") throw error;
          opened = makeBelowKept(root, folders);
        }
      }
      const { fd, isFresh } = opened;
      const shown = join(root, ...folders);
      return { isFresh, at: (suffix = "") => below(fd, shown, name + suffix), close: () => closeSync(fd) };
    },
  };
}

/** One place; see `LogPlaces`. */
export function openLogPlace(folder: string, path: string, isNew = false): LogPlace {
  const places = createLogPlaces(folder);
  try {
    return places.open(path, isNew);
  } finally {
    places.release();
  }
}

/**
 * Opens a regular file with one name, of a place. `size`: in bytes, when it was opened. Throws `log_file_refused`, and the errors of
 * the file system.
 */
export function openLogFile(at: string, flags: number): { fd: number; size: number } {
  let fd: number;
  try {
    fd = openSync(at, flags | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
  } catch (error) {
    throw orRefusal(error, basename(at));
  }
  try {
    const stats = fstatSync(fd);
    assertPlainFile(stats, basename(at));
    return { fd, size: stats.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Opens a log to read it. null = there is none. Throws `log_path_invalid` and `log_file_refused`. */
export async function openLogToRead(folder: string, path: string): Promise<FileHandle | null> {
  return withPlace(folder, path, false, async (at) => {
    let file: FileHandle;
    try {
      file = await open(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw orRefusal(error, path);
    }
    return checked(file, path);
  });
}

/** Opens a log to append to it, and makes it and its folders if need be. Throws `log_path_invalid` and `log_file_refused`. */
export async function openLogToAppend(folder: string, path: string): Promise<FileHandle> {
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const file = await withPlace(folder, path, true, async (at) => {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    return checked(
      await open(at, flags, FILE_MODE).catch((error: unknown) => {
        throw orRefusal(error, path);
      }),
      path,
    );
  });
  if (file === null) throw new Error(`the folder of ${path} could not be made`);
  return file;
}

/** Like `setAside`, without blocking the thread. */
export async function setLogAside(folder: string, path: string): Promise<void> {
  await withPlace(folder, path, false, (at) => rename(at, at + ASIDE)).catch(ignoreMissing);
}

/** Removes a log, or the link in its place. */
export async function removeLog(folder: string, path: string): Promise<void> {
  await withPlace(folder, path, false, (at) => unlink(at)).catch(ignoreMissing);
}

/**
 * Renames an existing log that has the same name as a new one: it belongs to a deleted run whose id is used again. Only the latest
 * one is kept.
 */
export function setAside(place: LogPlace): void {
  if (place.isFresh) return;
  try {
    renameSync(place.at(), place.at(ASIDE));
  } catch (error) {
    ignoreMissing(error);
  }
}

export function removeFile(at: string): void {
  try {
    unlinkSync(at);
  } catch (error) {
    ignoreMissing(error);
  }
}

/** Throws `log_path_invalid` for a path outside of the folder. */
export function checkLogPath(folder: string, path: string): void {
  partsOf(folder, path);
}

/** Like `openLogPlace`, without blocking the thread: the folder may be on a slow network disk. */
async function withPlace<T>(folder: string, path: string, make: boolean, work: (at: string) => Promise<T>): Promise<T | null> {
  const { root, folders, name } = partsOf(folder, path);
  if (make) await mkdir(root, { recursive: true, mode: FOLDER_MODE });
  let here: FileHandle | null = await open(root, O_RDONLY | O_DIRECTORY).catch(nullIfMissing);
  let shown = root;
  try {
    for (const one of folders) {
      if (here === null) return null;
      const at = below(here.fd, shown, one);
      shown = join(shown, one);
      const next: FileHandle | null = await openFolderSoon(at, shown, make);
      await here.close();
      here = next;
    }
    return here === null ? null : await work(below(here.fd, shown, name));
  } finally {
    await here?.close();
  }
}

async function openFolderSoon(at: string, shown: string, make: boolean): Promise<FileHandle | null> {
  const refuse = (error: unknown) => {
    throw orRefusal(error, shown);
  };
  const opened = await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    .catch(nullIfMissing)
    .catch(refuse);
  if (opened !== null || !make) return opened;
  await mkdir(at, FOLDER_MODE).catch(ignoreExisting);
  return open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(refuse);
}

type Folder = { fd: number; isFresh: boolean };

function openFolders(root: string, folders: readonly string[]): Folder {
  const last = folders.at(-1);
  if (last === undefined) return { fd: openRoot(root), isFresh: false };
  const known = openAtOnce(root, folders);
  if (known !== null) return { fd: known, isFresh: false };
  const above = folders.slice(0, -1);
  const parent = openFolders(root, above);
  try {
    return makeAndOpenFolder(below(parent.fd, join(root, ...above), last), join(root, ...folders));
  } finally {
    closeSync(parent.fd);
  }
}

/** The real paths of log folders, as far as they were needed. One that has changed only makes opening slower. */
const realPaths = new Map<string, string>();

/**
 * Opens a folder by its whole path, and asks the kernel where it is: a third of the calls of a walk, which would take a tenth of a
 * busy supervisor's thread. null = it is missing, or there is a link on the way: the walk tells.
 */
function openAtOnce(root: string, folders: readonly string[]): number | null {
  if (!HAS_DESCRIPTORS) return null;
  let fd: number;
  try {
    fd = openSync(join(root, ...folders), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    let real = realPaths.get(root);
    if (real === undefined) {
      real = realpathSync(root);
      realPaths.set(root, real);
    }
    if (readlinkSync(`/proc/self/fd/${fd}`) === join(real, ...folders)) return fd;
  } catch {
    // Also a folder that was removed at this moment.
  }
  closeSync(fd);
  return null;
}

function openRoot(root: string): number {
  try {
    return openSync(root, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw orRefusal(error, root);
  }
  mkdirSync(root, { recursive: true, mode: FOLDER_MODE });
  return openSync(root, O_RDONLY | O_DIRECTORY);
}

function makeAndOpenFolder(at: string, shown: string): Folder {
  let isFresh = true;
  try {
    mkdirSync(at, FOLDER_MODE);
  } catch (error) {
    ignoreExisting(error);
    isFresh = false;
  }
  try {
    return { fd: openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), isFresh };
  } catch (error) {
    throw orRefusal(error, shown);
  }
}

function below(fd: number, path: string, name: string): string {
  return HAS_DESCRIPTORS ? `/proc/self/fd/${fd}/${name}` : join(path, name);
}

function partsOf(folder: string, path: string): { root: string; folders: string[]; name: string } {
  const root = resolve(folder);
  const full = resolve(root, path);
  if (path.includes("\0") || !full.startsWith(root + sep))
    throw new BaramError("log_path_invalid", `the log path "${path}" points outside of the log folder`, { path });
  const between = relative(root, dirname(full));
  return { root, folders: between === "" ? [] : between.split(sep), name: basename(full) };
}

async function checked(file: FileHandle, path: string): Promise<FileHandle> {
  try {
    assertPlainFile(await file.stat(), path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A second name (a hard link) shows that the file may be another one, which somebody has put into the log's place. */
function assertPlainFile(stats: Stats, shown: string): void {
  if (!stats.isFile()) throw refused(shown, "is not a regular file");
  if (stats.nlink > 1) throw refused(shown, `has ${stats.nlink} names (hard links)`);
}

/** The errors by which `open` says that a name is a link, or a pipe. */
function orRefusal(error: unknown, shown: string): unknown {
  switch (codeOf(error)) {
    case "ELOOP":
    case "EMLINK":
      return refused(shown, "is a symbolic link", error);
    case "ENOTDIR":
      return refused(shown, "is a symbolic link or a file in the place of a folder", error);
    case "ENXIO":
      return refused(shown, "is not a regular file", error);
    case "EISDIR":
      return refused(shown, "is a folder", error);
    default:
      return error;
  }
}

function refused(shown: string, what: string, cause?: unknown): BaramError {
  const message = `"${shown}" in the log folder ${what}, so it is neither read nor written: find out who has put it there, and remove it`;
  return new BaramError("log_file_refused", message, { path: shown }, cause);
}

function nullIfMissing(error: unknown): null {
  ignoreMissing(error);
  return null;
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

function ignoreExisting(error: unknown): void {
  if (codeOf(error) !== "EEXIST") throw error;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
