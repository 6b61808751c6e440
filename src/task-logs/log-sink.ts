import { appendFile, mkdir, rename, renameSync, stat } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { promisify } from "node:util";
import { BaramError } from "../platform/index.ts";

/** Stores the text of logs. */
export type LogSink = {
  /**
   * The log at this path, for appending: texts are stored in the order of the calls. A call resolves with the log's new size in
   * bytes, and rejects if its text could not be stored. `open` throws `log_path_invalid` for a path outside of the sink.
   */
  open(path: string): AppendText;
};

/** `isAnew`: this log has just started, so an existing one with the same name belongs to a deleted run and is renamed. */
export type AppendText = (text: string, isAnew?: boolean) => Promise<number>;

// The functions of node:fs/promises need twice the CPU time, since they create a handle object.
const append = promisify(appendFile);
const makeFolder = promisify(mkdir);
const factsOf = promisify(stat);
const move = promisify(rename);

export const FILE_MODE = 0o640;
export const FOLDER_MODE = 0o750;

/**
 * Files below `folder` with mode 0640, in folders with mode 0750. For occasional logs; a process that writes many logs uses
 * `createThreadedFolderSink`.
 */
export function createFolderSink(folder: string): LogSink {
  return {
    open(path) {
      const file = pathBelow(folder, path);
      let before: Promise<unknown> = Promise.resolve();
      return (text, isAnew = false) => {
        const written = before.then(async () => {
          if (isAnew) await move(file, asideOf(file)).catch(ignoreMissing);
          await makeFolder(dirname(file), { recursive: true, mode: FOLDER_MODE });
          await append(file, text, { mode: FILE_MODE });
          return (await factsOf(file)).size;
        });
        before = written.catch(() => {});
        return written;
      };
    },
  };
}

/**
 * New path of an existing log that has the same name as a new one: it belongs to a deleted run whose id is used again. Only the
 * latest one is kept.
 */
const asideOf = (file: string) => `${file}.old`;

export function setAside(file: string): void {
  try {
    renameSync(file, asideOf(file));
  } catch (error) {
    ignoreMissing(error);
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}

/** Resolves `path` below `folder`; refuses a path outside of it. */
export function pathBelow(folder: string, path: string): string {
  const root = resolve(folder);
  const full = resolve(root, path);
  if (path.includes("\0") || !full.startsWith(root + sep))
    throw new BaramError("log_path_invalid", `the log path "${path}" points outside of the log folder`, { path });
  return full;
}
