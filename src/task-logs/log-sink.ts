import { appendFile, mkdir, rename, renameSync, stat } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { promisify } from "node:util";
import { BaramError } from "../platform/index.ts";

/** Where the text of logs is kept. */
export type LogSink = {
  /**
   * The log at this path, to append to: texts are kept in the order of the calls. A call resolves with the log's size then, in bytes, and
   * rejects when its text could not be kept. Throws `log_path_invalid` for a path that leads out of the sink.
   */
  open(path: string): AppendText;
};

/** `isAnew`: nothing of this log can be there yet, so what is there is of another of the same name, and is set aside. */
export type AppendText = (text: string, isAnew?: boolean) => Promise<number>;

// Those of node:fs/promises take twice the processor time: they make a handle object.
const append = promisify(appendFile);
const makeFolder = promisify(mkdir);
const factsOf = promisify(stat);
const move = promisify(rename);

export const FILE_MODE = 0o640;
export const FOLDER_MODE = 0o750;

/** Files below `folder`: 0640, in folders of 0750. For a log now and then; whoever writes many has `createThreadedFolderSink`. */
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

/** Where a log is put that has the name of one that begins: of a deleted run whose id was given again. The last one is kept. */
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

/** `path` below `folder`, refusing anything that would lead out of it. */
export function pathBelow(folder: string, path: string): string {
  const root = resolve(folder);
  const full = resolve(root, path);
  if (path.includes("\0") || !full.startsWith(root + sep))
    throw new BaramError("log_path_invalid", `the log path "${path}" leads out of the log folder`, { path });
  return full;
}
