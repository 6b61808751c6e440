import type { Budget } from "./budget.ts";
import { splitLines } from "./text-methods.ts";

type Wrap = {
  readonly width: number;
  readonly breaksWords: boolean;
  readonly breaksHyphens: boolean;
  readonly lineEnd: string;
};

/** Jinja's wordwrap: each line by itself, as Python's textwrap does it. */
export function wrapWords(text: string, wrap: Wrap, budget: Budget): string {
  if (!(wrap.width >= 1)) throw new Error(`the filter wordwrap needs a width of at least 1, not ${wrap.width}`);
  const lines = splitLines(text).flatMap((line) => wrapLine(line, wrap, budget));
  budget.step(lines.length);
  budget.text(lines.length * wrap.lineEnd.length);
  return lines.join(wrap.lineEnd);
}

function wrapLine(text: string, { width, breaksWords, breaksHyphens }: Wrap, budget: Budget): string[] {
  const pieces = text
    .split(/(\s+)/)
    .flatMap((word) => (breaksHyphens && /\S/.test(word) ? word.split(/(?<=[^\W\d]-)(?=[^\W\d])/) : [word]))
    .filter((piece) => piece !== "");
  budget.step(pieces.length);
  const lines: string[] = [];
  let line = "";
  const flush = () => {
    const full = line.trimEnd();
    if (full !== "") lines.push(full);
    line = "";
  };
  for (let piece of pieces) {
    const isSpace = !/\S/.test(piece);
    if (line.length + piece.length > width) {
      while (!isSpace && breaksWords && piece.length > width) {
        const room = width - line.length;
        budget.step();
        line += piece.slice(0, room);
        piece = piece.slice(room);
        flush();
      }
      if (line.length + piece.length > width) flush();
    }
    // Space at the start of a wrapped line is dropped.
    if (!(isSpace && line === "" && lines.length > 0)) line += piece;
  }
  flush();
  return lines.length === 0 ? [""] : lines;
}

/** "13.0 kB", or "12.7 KiB". */
export function fileSize(bytes: number, isBinary: boolean): string {
  const base = isBinary ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const prefixes = isBinary ? ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] : ["k", "M", "G", "T", "P", "E", "Z", "Y"];
  const power = Math.min(prefixes.length, Math.max(1, Math.floor(Math.log(bytes) / Math.log(base) + 1e-12)));
  return `${(bytes / base ** power).toFixed(1)} ${prefixes[power - 1]}B`;
}
