/**
 * The log store's end of logs that travel in pieces. Each worker that writes a log sends its own stream of bytes under a session
 * id of its own, in order, one piece at a time, and repeats a piece whose answer was lost. A piece begins a little before what is
 * new, so that its place is known by what stands there:
 * - nearly always the file is the stream, and nothing else need be kept: where the piece's first bytes stand at its offset, the rest
 *   belongs behind them. That holds after a crash in the middle of a piece, for a repeated one, and at another API server;
 * - a stream that begins behind others, or that others wrote into (the scheduler says why it ended a try), goes on at the end of the
 *   file. From then on a mark stands beside the log, `attempt=1.log.<session>`: how much of the stream is in, and where in the file its
 *   next byte belongs. It is there before that byte, is renewed after each piece, and goes with the stream's end.
 * Marks for all would cost a file made and removed for each try, and ext4 looks at each removed one for minutes when it makes others.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { FILE_MODE, FOLDER_MODE, pathBelow, setAside } from "./log-sink.ts";

export type LogPiece = {
  /** UUID of the stream. */
  session: string;
  /** Of the piece's first byte in the stream. */
  offset: number;
  text: string;
  /** Nothing follows. */
  isEnd: boolean;
  /** The log begins with this stream: what is there of another is set aside, of a deleted run whose id was given again. */
  isAnew: boolean;
};

/** `received`: how many bytes of the stream are in, so where the sender is to go on. `isMarked`: its end must be told. */
export type LogReceipt = { received: number; isMarked: boolean };

/** `maxFileBytes`: a log is cut a little beyond it, whatever is sent. */
export type LogReceiverOptions = { folder: string; maxFileBytes: number };

type Mark = { received: number; at: number; isFull: boolean };

/** A worker cuts its log at the same size as we do, and says so in a line: that line, and the one before, must get through. */
const ROOM_FOR_LAST_WORDS = 1024 * 1024;

/**
 * Writes what is new of a piece to the log at `path`. Throws `log_path_invalid`, and what the file system says. Blocks, and pieces of one
 * log must come one after the other: `createLogReceiver` has a thread for it.
 */
export function receivePiece(options: LogReceiverOptions, path: string, piece: LogPiece): LogReceipt {
  const { session, offset, text, isEnd } = piece;
  const file = pathBelow(options.folder, path);
  const bytes = Buffer.from(text, "utf8");
  const capBytes = options.maxFileBytes + ROOM_FOR_LAST_WORDS;
  const markPath = `${file}.${session}`;
  const known = readMark(markPath);
  if (piece.isAnew && offset === 0 && known === null && isOfAnother(file, bytes)) setAside(file);
  const fd = openForUpdate(file);
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
    if (isEnd) rmSync(markPath, { force: true });
    else if (next !== mark) writeMark(markPath, next);
    return { received: next.received, isMarked: !isEnd };
  } finally {
    closeSync(fd);
  }
}

/** Whether what is there begins with another line than the stream. A piece that is sent again finds its own. */
function isOfAnother(file: string, bytes: Buffer): boolean {
  const fd = openForUpdate(file);
  try {
    const there = read(fd, 0, bytes.length);
    const lineEnd = there.indexOf(10);
    const known = lineEnd === -1 ? there : there.subarray(0, lineEnd + 1);
    return !known.equals(bytes.subarray(0, known.length));
  } finally {
    closeSync(fd);
  }
}

/** Of a stream without a mark: what of it is in, and where it goes on; null = nothing here tells, and it is to be sent from its start. */
function placeByContent(fd: number, offset: number, bytes: Buffer, capBytes: number): Mark | null {
  const { size } = fstatSync(fd);
  const there = read(fd, offset, Math.min(bytes.length, Math.max(0, size - offset)));
  let same = 0;
  while (same < there.length && there[same] === bytes[same]) same++;
  const isFull = size > capBytes;
  // All of the piece is there, whatever stands behind it; or all that stands there is of the piece.
  if (same === bytes.length && same > 0) return { received: offset + same, at: offset + same, isFull };
  if (same === there.length && (same > 0 || (offset === 0 && size === 0))) return { received: offset + same, at: size, isFull };
  // Others wrote behind a line of it.
  const lines = bytes.subarray(0, same).lastIndexOf(10) + 1;
  if (lines > 0) return { received: offset + lines, at: size, isFull };
  // The last piece again, after the end of a stream that was marked.
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

/** Where the piece belongs; null = it stands there whole, and others wrote behind it. */
function placeOf(fd: number, at: number, size: number, fresh: Buffer): number | null {
  // Shorter than it was: somebody has emptied it.
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

/** A full disk may take a part of what it is given, and say so only when it is given the rest. */
function write(fd: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** Not for appending: a piece that is written again must land where it stands. */
function openForUpdate(path: string): number {
  const open = () => openSync(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
  try {
    return open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
  return open();
}

function readMark(path: string): Mark | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Mark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function writeMark(path: string, mark: Mark): void {
  writeFileSync(`${path}~`, JSON.stringify(mark), { mode: FILE_MODE });
  renameSync(`${path}~`, path);
}

function cutMark(capBytes: number): Buffer {
  const event = `… [log truncated: the log store takes ${capBytes} bytes of one try]`;
  return Buffer.from(`${JSON.stringify({ timestamp: new Date().toISOString(), level: "warn", logger: "baram", event })}\n`);
}
