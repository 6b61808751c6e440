import { StringDecoder } from "node:string_decoder";

/**
 * Cuts a stream into lines while holding at most `maxBytes` of one: what a longer line has beyond that is counted and
 * dropped, so that a line of a gigabyte costs no memory. LF and CRLF end a line. CR alone goes back to its start, as on a terminal: what
 * follows overwrites the line, so a progress bar is one line that changes. Its last state is a line; of those before, one comes
 * through now and then, so that who follows sees it move. A state of blanks only clears the line and is none.
 */
export type LineSplitter = { push(chunk: Buffer): void; end(): void };

/** A bar that redraws a hundred times a second is one line each so many ms. */
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
  /** The last byte was a CR; the next says whether it ends the line or goes back. */
  let isAfterReturn = false;
  /** The last state of a line that is overwritten. */
  let overwritten: string | null = null;
  let shown: string | null = null;
  let shownAt = Number.NEGATIVE_INFINITY;

  const take = (): string => {
    // The decoder leaves out half a character at the cut.
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

/** Nothing that is seen: blanks, and the terminal's sequences that erase a line. */
function isBlank(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins such a sequence
  return /^(?:\s|\u001b\[\d*K)*$/.test(text);
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
