/**
 * The receiving end of logs that are sent in pieces. Each worker that writes a log sends its own stream of bytes under its own
 * session id, in order, one piece at a time, and repeats a piece whose answer was lost. A piece starts a little before the new
 * bytes, so that the existing content of the file shows where it belongs:
 * - nearly always the file is the stream, and no further state is needed: if the piece's first bytes are in the file at its offset, the
 *   rest belongs after them. This also holds after a crash within a piece, for a repeated piece, and at another API server;
 * - a stream that starts after the text of others, or into which others wrote (the scheduler logs why it ended a try), goes on at the
 *   end of the file. From then on there is a mark next to the log, `attempt=1.log.<session>`: how much of the stream has arrived, and where
 *   in the file its next byte belongs. It is written before that byte, updated after each piece, and deleted at the end of the stream.
 * Marks for all streams would need a file created and removed for each try, and on ext4 recently removed files slow down the creation of new ones for minutes.
 */
import { closeSync, constants, fstatSync, readFileSync, readSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { platformLine } from "./log-line.ts";
import { type LogPlace, openLogFile, openLogPlace, removeFile, setAside } from "./open-log.ts";

export type LogPiece = {
  /** UUID of the stream. */
  session: string;
  /** Offset of the piece's first byte in the stream. */
  offset: number;
  text: string;
  /** No further pieces follow. */
  isEnd: boolean;
  /** The log starts with this stream: an existing log of the same name, from a deleted run with the same id, is renamed. */
  isAnew: boolean;
};

/**
 * `received`: number of bytes of the stream that have arrived, so where the sender continues. `isMarked`: the end of the stream
 * must be reported.
 */
export type LogReceipt = { received: number; isMarked: boolean };

/** `maxFileBytes`: a log is truncated slightly above this size, whatever is sent. */
export type LogReceiverOptions = { folder: string; maxFileBytes: number };

type Mark = { received: number; at: number; isFull: boolean };

/** A worker truncates its log at the same size, and appends a line about it. This line and the one before it must fit. */
const ROOM_FOR_LAST_WORDS = 1024 * 1024;

/**
 * Writes the new bytes of a piece to the log at `path`. Throws `log_path_invalid` and errors of the file system. It blocks, and
 * the pieces of one log must be written one after the other: `createLogReceiver` runs it on a thread.
 */
export function receivePiece(options: LogReceiverOptions, path: string, piece: LogPiece): LogReceipt {
  const place = openLogPlace(options.folder, path, piece.isAnew && piece.offset === 0);
  try {
    return receiveAt(place, options.maxFileBytes + ROOM_FOR_LAST_WORDS, piece);
  } finally {
    place.close();
  }
}

function receiveAt(place: LogPlace, capBytes: number, piece: LogPiece): LogReceipt {
  const { session, offset, text, isEnd } = piece;
  const bytes = Buffer.from(text, "utf8");
  const markPath = place.at(`.${session}`);
  const known = readMark(markPath);
  if (piece.isAnew && offset === 0 && known === null && isOfAnother(place, bytes)) setAside(place);
  const fd = openForUpdate(place);
  try {
    const mark = known ?? placeByContent(fd, offset, bytes, capBytes);
    if (mark === null) return { received: 0, isMarked: false };
    const fresh = bytes.subarray(Math.max(0, mark.received - offset));
    const isInPlace = known === null && mark.at === mark.received && mark.at + fresh.length <= capBytes;
    if (offset > mark.received) return { received: mark.received, isMarked: !isInPlace };
    if (isInPlace) {
      write(fd, fresh, mark.at);
      return { received: mark.received + fresh.length, isMarked: false };
    }
    if (known === null) writeMark(markPath, mark);
    const next = fresh.length === 0 ? mark : put(fd, mark, fresh, capBytes);
    if (isEnd) removeFile(markPath);
    else if (next !== mark) writeMark(markPath, next);
    return { received: next.received, isMarked: !isEnd };
  } finally {
    closeSync(fd);
  }
}

/** Whether the file starts with another line than the stream. If the stream's first piece is sent again, the lines are equal. */
function isOfAnother(place: LogPlace, bytes: Buffer): boolean {
  const fd = openForUpdate(place);
  try {
    const there = read(fd, 0, bytes.length);
    const lineEnd = there.indexOf(10);
    const known = lineEnd === -1 ? there : there.subarray(0, lineEnd + 1);
    return !known.equals(bytes.subarray(0, known.length));
  } finally {
    closeSync(fd);
  }
}

/**
 * For a stream without a mark: how much of it has arrived, and where it goes on. null = unknown; it must be sent again from its
 * start.
 */
function placeByContent(fd: number, offset: number, bytes: Buffer, capBytes: number): Mark | null {
  const { size } = fstatSync(fd);
  const there = read(fd, offset, Math.min(bytes.length, Math.max(0, size - offset)));
  let same = 0;
  while (same < there.length && there[same] === bytes[same]) same++;
  const isFull = size > capBytes;
  // The file contains the whole piece, with or without further text; or the file ends within the piece.
  if (same === bytes.length && same > 0) return { received: offset + same, at: offset + same, isFull };
  if (same === there.length && (same > 0 || (offset === 0 && size === 0))) return { received: offset + same, at: size, isFull };
  // Others wrote after one of its lines.
  const lines = bytes.subarray(0, same).lastIndexOf(10) + 1;
  if (lines > 0) return { received: offset + lines, at: size, isFull };
  // The last piece is repeated, after the end of a stream that had a mark.
  if (bytes.length > 0 && size >= bytes.length && bytes.equals(read(fd, size - bytes.length, bytes.length)))
    return { received: offset + bytes.length, at: offset + bytes.length, isFull };
  return offset === 0 ? { received: 0, at: size, isFull } : null;
}

function put(fd: number, mark: Mark, fresh: Buffer, capBytes: number): Mark {
  const received = mark.received + fresh.length;
  const { size } = fstatSync(fd);
  const at = placeOf(fd, mark.at, size, fresh);
  if (mark.isFull || at === null) return { received, at: size, isFull: mark.isFull };
  const room = capBytes - at;
  if (fresh.length <= room) {
    write(fd, fresh, at);
    return { received, at: at + fresh.length, isFull: false };
  }
  const kept = fresh.subarray(0, fresh.subarray(0, Math.max(0, room)).lastIndexOf(10) + 1);
  const whole = Buffer.concat([kept, cutMark(capBytes)]);
  write(fd, whole, at);
  return { received, at: at + whole.length, isFull: true };
}

/** Where the piece belongs; null = the file contains it completely, and others wrote after it. */
function placeOf(fd: number, at: number, size: number, fresh: Buffer): number | null {
  // The file has become shorter: somebody has truncated it.
  if (size <= at) return size;
  const there = read(fd, at, Math.min(size - at, fresh.length));
  const isOurs = fresh.subarray(0, there.length).equals(there);
  if (isOurs && there.length === size - at) return at;
  return isOurs ? null : size;
}

function read(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
}

/** With a full disk, a write may succeed partly; only the write of the rest then fails. */
function write(fd: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** Not in append mode: a piece that is written again must overwrite itself. */
function openForUpdate(place: LogPlace): number {
  return openLogFile(place.at(), constants.O_RDWR | constants.O_CREAT).fd;
}

function readMark(at: string): Mark | null {
  let fd: number;
  try {
    ({ fd } = openLogFile(at, constants.O_RDONLY));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return JSON.parse(readFileSync(fd, "utf8")) as Mark;
  } finally {
    closeSync(fd);
  }
}

function writeMark(at: string, mark: Mark): void {
  const draft = `${at}~`;
  // What a crash has left. Made anew, since a file that is there may be somebody else's.
  removeFile(draft);
  const { fd } = openLogFile(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    writeFileSync(fd, JSON.stringify(mark));
  } finally {
    closeSync(fd);
  }
  renameSync(draft, at);
}

function cutMark(capBytes: number): Buffer {
  const event = `… [log truncated: the log store takes ${capBytes} bytes of one try]`;
  return Buffer.from(`${JSON.stringify(platformLine("warn", event))}\n`);
}
