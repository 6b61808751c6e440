import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Longer lines are cut, so that a command without line breaks cannot fill the memory. */
export const MAX_LINE_CHARACTERS = 64 * 1024;

/** Calls `onLine` for each line of a stream, without its line break; resolves at the stream's end. */
export async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let cut = 0;
  const add = (part: string) => {
    const room = MAX_LINE_CHARACTERS - line.length;
    line += part.slice(0, room);
    cut += Math.max(0, part.length - room);
  };
  const flush = () => {
    onLine(cut > 0 ? `${line}… (cut; ${cut} characters more)` : line.replace(/\r$/, ""));
    line = "";
    cut = 0;
  };
  for await (const chunk of stream) {
    const [first = "", ...rest] = decoder.write(chunk).split("\n");
    add(first);
    for (const part of rest) {
      flush();
      add(part);
    }
  }
  add(decoder.end());
  if (line !== "") flush();
}
