import { StringDecoder } from "node:string_decoder";

/**
 * Cuts a stream into lines while holding at most `maxBytes` of one: what a longer line has beyond that is counted and
 * dropped, so that a line of a gigabyte costs no memory.
 */
export type LineSplitter = { push(chunk: Buffer): void; end(): void };

export function createLineSplitter(maxBytes: number, onLine: (line: string) => void): LineSplitter {
  let kept: Buffer[] = [];
  let size = 0;
  let dropped = 0;

  const flush = () => {
    // The decoder leaves out half a character at the cut.
    const decoder = new StringDecoder("utf8");
    const text = decoder.write(Buffer.concat(kept)).replace(/\r$/, "");
    onLine(dropped > 0 ? `${text}${truncationMark(dropped)}` : text);
    kept = [];
    size = 0;
    dropped = 0;
  };
  const keep = (piece: Buffer) => {
    const room = Math.max(0, maxBytes - size);
    if (room > 0) kept.push(piece.length > room ? piece.subarray(0, room) : piece);
    size += Math.min(room, piece.length);
    dropped += Math.max(0, piece.length - room);
  };
  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, at));
        flush();
        from = at + 1;
      }
      if (from < chunk.length) keep(chunk.subarray(from));
    },
    end() {
      if (size > 0 || dropped > 0) flush();
    },
  };
}

export function truncationMark(bytes: number): string {
  return `… [line truncated: ${bytes} more bytes]`;
}

/** Cuts a text that is in memory already to `maxBytes`, with the same mark. */
export function truncateLine(text: string, maxBytes: number): string {
  // A character is at most 3 bytes per UTF-16 unit, so short texts need no counting.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= maxBytes) return text;
  return `${new StringDecoder("utf8").write(bytes.subarray(0, maxBytes))}${truncationMark(bytes.length - maxBytes)}`;
}
