/**
 * The log store's end of logs that travel in pieces. Each worker that writes a log sends its own stream of bytes under a session
 * id of its own, in order, one piece at a time, and repeats a piece whose answer was lost. Beside the log stands a mark per session,
 * `attempt=1.log.<session>`: how much of the stream is in, and where in the file its next byte belongs. It is there before the first
 * byte, is renewed after each piece, and goes with the stream's end. A crash between a piece and its mark is seen by what
 * stands at that place: the piece itself, or a part of it. Others may write to the same log (the scheduler says why it ended a
 * try); then the stream goes on behind them.
 */
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { FILE_MODE, FOLDER_MODE, pathBelow } from "./log-sink.ts";

export type LogPiece = {
  /** UUID of the stream. */
  session: string;
  /** Of the piece's first byte in the stream. */
  offset: number;
  text: string;
  /** Nothing follows. */
  isEnd: boolean;
};

export type LogReceiver = {
  /** Writes what is new of the piece. `received`: how many bytes of the stream are in, so where the sender is to go on. */
  append(path: string, piece: LogPiece): Promise<{ received: number }>;
};

type Mark = { received: number; at: number; isFull: boolean };
type File = Awaited<ReturnType<typeof open>>;

/** A worker cuts its log at the same size as we do, and says so in a line: that line, and the one before, must get through. */
const ROOM_FOR_LAST_WORDS = 1024 * 1024;

/** `maxFileBytes`: a log is cut a little beyond it, whatever is sent. */
export function createLogReceiver(options: { folder: string; maxFileBytes: number }): LogReceiver {
  const capBytes = options.maxFileBytes + ROOM_FOR_LAST_WORDS;
  /** The last piece of each file: they are written one after the other. */
  const turns = new Map<string, Promise<unknown>>();

  async function takeTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(file) ?? Promise.resolve()).then(work, work);
    turns.set(file, turn);
    try {
      return await turn;
    } finally {
      if (turns.get(file) === turn) turns.delete(file);
    }
  }

  async function write(path: string, { session, offset, text, isEnd }: LogPiece): Promise<{ received: number }> {
    const bytes = Buffer.from(text, "utf8");
    const markPath = `${path}.${session}`;
    const known = await readMark(markPath);
    if (!known && offset > 0) return (await endsWith(path, bytes)) ? { received: offset + bytes.length } : { received: 0 };
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    const file = await openForUpdate(path);
    try {
      const mark = known ?? { received: 0, at: (await file.stat()).size, isFull: false };
      if (!known) await writeMark(markPath, mark);
      if (offset > mark.received) return { received: mark.received };
      const fresh = bytes.subarray(mark.received - offset);
      const next = fresh.length === 0 ? mark : await put(file, mark, fresh);
      if (isEnd) await rm(markPath, { force: true });
      else if (next !== mark) await writeMark(markPath, next);
      return { received: next.received };
    } finally {
      await file.close();
    }
  }

  async function put(file: File, mark: Mark, fresh: Buffer): Promise<Mark> {
    const received = mark.received + fresh.length;
    const { size } = await file.stat();
    const at = await placeOf(file, mark.at, size, fresh);
    if (mark.isFull || at === null) return { received, at: size, isFull: mark.isFull };
    const room = capBytes - at;
    if (fresh.length <= room) {
      await file.write(fresh, 0, fresh.length, at);
      return { received, at: at + fresh.length, isFull: false };
    }
    const kept = fresh.subarray(0, fresh.subarray(0, Math.max(0, room)).lastIndexOf(10) + 1);
    const whole = Buffer.concat([kept, cutMark(capBytes)]);
    await file.write(whole, 0, whole.length, at);
    return { received, at: at + whole.length, isFull: true };
  }

  return { append: (path, piece) => takeTurn(path, () => write(pathBelow(options.folder, path), piece)) };
}

/** Where the piece belongs; null = it stands there whole, and others wrote behind it. */
async function placeOf(file: File, at: number, size: number, fresh: Buffer): Promise<number | null> {
  // Shorter than it was: somebody has emptied it.
  if (size <= at) return size;
  const there = Buffer.alloc(Math.min(size - at, fresh.length));
  await file.read(there, 0, there.length, at);
  const isOurs = fresh.subarray(0, there.length).equals(there);
  if (isOurs && there.length === size - at) return at;
  return isOurs ? null : size;
}

async function endsWith(path: string, bytes: Buffer): Promise<boolean> {
  const file = await open(path, "r").catch(() => null);
  if (!file) return false;
  try {
    const { size } = await file.stat();
    if (size < bytes.length) return false;
    const tail = Buffer.alloc(bytes.length);
    await file.read(tail, 0, tail.length, size - tail.length);
    return tail.equals(bytes);
  } finally {
    await file.close();
  }
}

/** Not for appending: a piece that is written again must land where it stands. */
async function openForUpdate(path: string): Promise<File> {
  for (;;) {
    try {
      return await open(path, "r+");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    await (await open(path, "a", FILE_MODE)).close();
  }
}

async function readMark(path: string): Promise<Mark | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Mark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function writeMark(path: string, mark: Mark): Promise<void> {
  await writeFile(`${path}~`, JSON.stringify(mark), { mode: FILE_MODE });
  await rename(`${path}~`, path);
}

function cutMark(capBytes: number): Buffer {
  const event = `… [log truncated: the log store takes ${capBytes} bytes of one try]`;
  return Buffer.from(`${JSON.stringify({ timestamp: new Date().toISOString(), level: "warn", logger: "baram", event })}\n`);
}
