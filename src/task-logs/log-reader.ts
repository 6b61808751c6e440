import type { FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { BaramError, toError } from "../platform/index.ts";
import { type LogLine, platformLine } from "./log-line.ts";
import { openLogToRead } from "./open-log.ts";

/** `offset`: where the next page starts, in bytes; the log of a running try still grows. `lines` null = there is no log. */
export type LogPage = { lines: LogLine[] | null; offset: number; isEnd: boolean };

/** The source from which the logs of tries are read. */
export type LogStore = { read(path: string, offset: number, maxBytes: number): Promise<LogPage>; readonly source: string };

/** Raw access to logs by path. */
export type LogBytes = {
  /** null = there is no such log. */
  size(path: string): Promise<number | null>;
  /** The bytes from `start` up to `end`, exclusive; fewer if the log has become shorter. */
  read(path: string, start: number, end: number): Promise<Buffer | null>;
};

/** Number of bytes in which two copies are compared. */
const COMPARED_BYTES = 4_096;

/** The logs in a folder of this machine. */
export function createFolderLogStore(folder: string): LogStore {
  const bytes = folderBytes(folder);
  return {
    source: `${hostname()}:${folder}`,
    read: (path, offset, maxBytes) => readOne(bytes, path, offset, maxBytes),
  };
}

/**
 * The logs in a folder of this machine and in a remote store. If both have the same log, the longer copy is read: the remote copy
 * lags behind, and the local one may be incomplete if the machine was replaced. If they differ, the task ran elsewhere and this
 * machine logged why its try ended: both are read, the remote one first.
 */
export function createLayeredLogStore(folder: string, remote: LogBytes & { source: string }): LogStore {
  const local = folderBytes(folder);

  async function partsOf(path: string): Promise<{ bytes: LogBytes; size: number }[]> {
    const [here, there] = await Promise.all([local.size(path), remote.size(path)]);
    const parts = [
      ...(there === null ? [] : [{ bytes: remote, size: there }]),
      ...(here === null ? [] : [{ bytes: local, size: here }]),
    ];
    const [first, second] = parts;
    if (!first || !second) return parts;
    const end = Math.min(COMPARED_BYTES, first.size, second.size);
    const [a, b] = await Promise.all([remote.read(path, 0, end), local.read(path, 0, end)]);
    const isCopy = a !== null && b !== null && a.equals(b);
    if (!isCopy) return parts;
    return [first.size > second.size ? first : second];
  }

  return {
    source: `${hostname()}:${folder} or ${remote.source}`,
    async read(path, offset, maxBytes) {
      try {
        const parts = await partsOf(path);
        if (parts.length === 0) return { lines: null, offset, isEnd: true };
        const size = parts.reduce((sum, part) => sum + part.size, 0);
        const read = async (start: number, end: number) => {
          const pieces: Buffer[] = [];
          let from = 0;
          for (const part of parts) {
            const piece = [Math.max(0, start - from), Math.min(part.size, end - from)] as const;
            if (piece[0] < piece[1]) pieces.push((await part.bytes.read(path, ...piece)) ?? Buffer.alloc(0));
            from += part.size;
          }
          return Buffer.concat(pieces);
        };
        return await readPage(size, read, offset, maxBytes);
      } catch (error) {
        // The other copy can be read nevertheless.
        if (isRefusal(error))
          return withLine(
            await readOne(remote, path, offset, maxBytes),
            `The copy on this machine is not shown: ${error.message}`,
          );
        const event = `The log store ${remote.source} cannot be read: ${toError(error).message}`;
        return withLine(await readOne(local, path, offset, maxBytes), event);
      }
    },
  };
}

async function readOne(bytes: LogBytes, path: string, offset: number, maxBytes: number): Promise<LogPage> {
  try {
    const size = await bytes.size(path);
    if (size === null) return { lines: null, offset, isEnd: true };
    return await readPage(size, (start, end) => bytes.read(path, start, end), offset, maxBytes);
  } catch (error) {
    // Said in the log itself, where the one who looks for it sees it.
    if (isRefusal(error)) return withLine({ lines: null, offset, isEnd: true }, `The log is not shown: ${error.message}`);
    throw error;
  }
}

function isRefusal(error: unknown): error is BaramError {
  return error instanceof BaramError && error.code === "log_file_refused";
}

function withLine(page: LogPage, event: string): LogPage {
  const line = platformLine("error", event);
  return { ...page, lines: [...(page.lines ?? []), line] };
}

/**
 * Reads only complete lines, since the writer may be in the middle of one. A line that is longer than the page extends the page.
 */
async function readPage(
  size: number,
  read: (start: number, end: number) => Promise<Buffer | null>,
  offset: number,
  maxBytes: number,
): Promise<LogPage> {
  let buffer: Buffer = Buffer.alloc(0);
  let end = 0;
  for (let room = Math.max(1, maxBytes); end === 0 && offset + buffer.length < size; room *= 2) {
    const wanted = Math.min(room, size - offset);
    buffer = (await read(offset, offset + wanted)) ?? Buffer.alloc(0);
    end = buffer.lastIndexOf(10) + 1;
    if (buffer.length < wanted) break;
  }
  const lines = buffer
    .subarray(0, end)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
  return { lines, offset: offset + end, isEnd: offset + buffer.length >= size };
}

function folderBytes(folder: string): LogBytes {
  async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T | null> {
    const file = await openLogToRead(folder, path);
    if (!file) return null;
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }
  return {
    size: (path) => withFile(path, async (file) => (await file.stat()).size),
    read: (path, start, end) =>
      withFile(path, async (file) => {
        const buffer = Buffer.alloc(Math.max(0, end - start));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
        return buffer.subarray(0, bytesRead);
      }),
  };
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { timestamp: "", level: "info", event: text };
  }
}
