import { StringDecoder } from "node:string_decoder";

/**
 * Splits a stream into lines and holds at most `maxBytes` of a line; further bytes are counted and dropped, so that a line of a
 * gigabyte needs no memory. LF and CRLF end a line. As on a terminal, CR alone returns to the start of the line, and the
 * following text overwrites it: a progress bar is one line that changes. Its last state is emitted as a line; earlier states are
 * emitted at most every REDRAW_MS, so that a reader who follows the log sees progress. A state that consists of blanks only
 * clears the line and is not emitted.
 */
export type LineSplitter = { push(chunk: Buffer): void; end(): void };

/** A progress bar that is redrawn a hundred times a second is emitted once in this time. */
export const REDRAW_MS = 5_000;
const LF = 10;
const CR = 13;

export function createLineSplitter(
  maxBytes: number,
  onLine: (line: string) => void,
  now: () => number = () => performance.now(),
): LineSplitter {
  let kept: Buffer[] = [];
  let size = 0;
  let dropped = 0;
  /** The last byte was a CR; the next byte decides whether it ends the line or returns to its start. */
  let isAfterReturn = false;
  /** The last state of a line that is overwritten. */
  let overwritten: string | null = null;
  let shown: string | null = null;
  let shownAt = Number.NEGATIVE_INFINITY;

  const take = (): string => {
    // The decoder drops an incomplete character at the cut.
    const text = new StringDecoder("utf8").write(Buffer.concat(kept));
    const whole = dropped > 0 ? `${text}${truncationMark(dropped)}` : text;
    kept = [];
    size = 0;
    dropped = 0;
    return whole;
  };
  const goBack = () => {
    isAfterReturn = false;
    const text = take();
    if (isBlank(text)) return;
    overwritten = text;
    if (now() - shownAt < REDRAW_MS) return;
    shownAt = now();
    shown = text;
    onLine(text);
  };
  const endLine = () => {
    isAfterReturn = false;
    const text = take();
    const last = overwritten !== null && isBlank(text) ? overwritten : text;
    const isKnown = overwritten !== null && last === shown;
    overwritten = null;
    shown = null;
    if (!isKnown) onLine(last);
  };
  const keep = (piece: Buffer) => {
    const room = Math.max(0, maxBytes - size);
    if (room > 0) kept.push(piece.length > room ? piece.subarray(0, room) : piece);
    size += Math.min(room, piece.length);
    dropped += Math.max(0, piece.length - room);
  };
  return {
    push(chunk) {
      let lf = chunk.indexOf(LF);
      let cr = chunk.indexOf(CR);
      for (let from = 0; from < chunk.length; ) {
        if (isAfterReturn) {
          if (chunk[from] === LF) {
            endLine();
            from++;
            continue;
          }
          goBack();
        }
        if (lf !== -1 && lf < from) lf = chunk.indexOf(LF, from);
        if (cr !== -1 && cr < from) cr = chunk.indexOf(CR, from);
        const at = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
        if (at === -1) return keep(chunk.subarray(from));
        keep(chunk.subarray(from, at));
        if (at === lf) endLine();
        else isAfterReturn = true;
        from = at + 1;
      }
    },
    end() {
      if (size > 0 || dropped > 0 || overwritten !== null) endLine();
      isAfterReturn = false;
    },
  };
}

/** Whether the text is invisible: only blanks, and the terminal's sequences that erase a line. */
function isBlank(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins such a sequence
  return /^(?:\s|\u001b\[\d*K)*$/.test(text);
}

export function truncationMark(bytes: number): string {
  return `… [line truncated: ${bytes} more bytes]`;
}

/** Truncates a text in memory to `maxBytes`, with the same marker. */
export function truncateLine(text: string, maxBytes: number): string {
  // A UTF-16 unit needs at most 3 bytes in UTF-8, so short texts need not be measured.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= maxBytes) return text;
  return `${new StringDecoder("utf8").write(bytes.subarray(0, maxBytes))}${truncationMark(bytes.length - maxBytes)}`;
}
