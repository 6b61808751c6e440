import { checkLogPath, openLogToAppend, setLogAside } from "./open-log.ts";

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

/**
 * Files below `folder` that only this user can read. For occasional logs; a process that writes many logs uses
 * `createThreadedFolderSink`.
 */
export function createFolderSink(folder: string): LogSink {
  return {
    open(path) {
      checkLogPath(folder, path);
      let before: Promise<unknown> = Promise.resolve();
      return (text, isAnew = false) => {
        const written = before.then(async () => {
          if (isAnew) await setLogAside(folder, path);
          const file = await openLogToAppend(folder, path);
          try {
            await file.appendFile(text);
            return (await file.stat()).size;
          } finally {
            await file.close();
          }
        });
        before = written.catch(() => {});
        return written;
      };
    },
  };
}
