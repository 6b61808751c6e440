import { open } from "node:fs/promises";
import { hostname } from "node:os";
import { pathBelow } from "./log-sink.ts";
import type { LogLine } from "./log-writer.ts";

/** `offset`: where to read on, in bytes; a try that still runs grows. null lines = there is no log. */
export type LogPage = { lines: LogLine[] | null; offset: number; isEnd: boolean };

/** Where tries' logs are read from. A remote store is another implementation. */
export type LogStore = { read(path: string, offset: number, maxBytes: number): Promise<LogPage>; readonly source: string };

export function createFolderLogStore(folder: string): LogStore {
  return {
    source: `${hostname()}:${folder}`,
    async read(path, offset, maxBytes) {
      const handle = await open(pathBelow(folder, path), "r").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
        throw error;
      });
      if (!handle) return { lines: null, offset, isEnd: true };
      try {
        const { size } = await handle.stat();
        let buffer = Buffer.alloc(0);
        let bytesRead = 0;
        let end = 0;
        // Only whole lines: the writer may be in the middle of one. A line longer than the page makes the page longer.
        for (let room = Math.max(1, maxBytes); end === 0 && offset + bytesRead < size; room *= 2) {
          buffer = Buffer.alloc(Math.min(room, size - offset));
          ({ bytesRead } = await handle.read(buffer, 0, buffer.length, offset));
          end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
          if (bytesRead < buffer.length) break;
        }
        const lines = buffer
          .subarray(0, end)
          .toString("utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map(parseLine);
        return { lines, offset: offset + end, isEnd: offset + bytesRead >= size };
      } finally {
        await handle.close();
      }
    },
  };
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { timestamp: "", level: "info", event: text };
  }
}
