import { type FSWatcher, watch } from "node:fs";
import type { Logger } from "../platform/index.ts";

/**
 * Wakes the dag-processor early. Changes that it misses (network file systems, too few inotify watches) are found by the next
 * scan.
 */
export type FolderWatcher = {
  /** Watches exactly these folders from now on, without their subfolders. */
  watchOnly(folders: readonly string[]): void;
  close(): void;
};

/**
 * One watch per folder instead of Node's recursive watch, which on Linux would also watch `node_modules` and dot folders, and
 * misses nested folders that are created quickly one after the other.
 */
export function createFolderWatcher(logger: Logger, onChange: () => void): FolderWatcher {
  const watchers = new Map<string, FSWatcher>();
  let hasWarned = false;

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  function add(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, onChange);
      watcher.on("error", () => forget(folder));
      watchers.set(folder, watcher);
    } catch (error) {
      if (!hasWarned) logger.warn({ folder, error }, "cannot watch a DAG folder; its changes are seen at the next scan");
      hasWarned = true;
    }
  }

  return {
    watchOnly(folders) {
      const wanted = new Set(folders);
      for (const folder of [...watchers.keys()]) if (!wanted.has(folder)) forget(folder);
      for (const folder of wanted) if (!watchers.has(folder)) add(folder);
    },
    close() {
      for (const folder of [...watchers.keys()]) forget(folder);
    },
  };
}
