import type { Readable } from "node:stream";
import { createLineSplitter } from "../../platform/index.ts";

/** Longer lines are truncated, so that output without line breaks cannot fill the memory. */
export const MAX_LINE_BYTES = 64 * 1024;

/** Calls `onLine` for each line of a stream, without its line break; resolves at the end of the stream. */
export async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createLineSplitter(MAX_LINE_BYTES, onLine);
  for await (const chunk of stream) lines.push(chunk);
  lines.end();
}
