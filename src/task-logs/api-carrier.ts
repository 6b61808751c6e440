import { randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { LogPiece, LogReceipt } from "./log-receiver.ts";
import { type LocalLog, type LogCarrier, openWrittenLog } from "./log-shipper.ts";

/** People follow the logs of running tasks, so new lines should be visible within a second or so. */
const INTERVAL_MS = 1_000;
/** Less than the API accepts in one call. */
const PIECE_BYTES = 192 * 1024;
/**
 * API servers without a shared log folder each have a different part of the log; after so many steps back, sending is given up
 * for now.
 */
const STEPS_BACK_MAX = 3;

/** Each piece starts with the last line that the server has, or with this much of it. */
const OVERLAP_MAX_BYTES = 1_024;

/** Sends a log in pieces to the API server; log-receiver.ts is the other end. `isAnew`: this worker starts the log. */
export function createApiCarrier(
  send: (piece: LogPiece) => Promise<LogReceipt>,
  isHopeless: (error: Error) => boolean,
  isAnew = false,
): LogCarrier {
  const session = randomUUID();
  let received = 0;
  let isMarked = false;
  /** The last bytes that the server has. */
  let overlap: Buffer = Buffer.alloc(0);

  return {
    isHopeless,
    intervalMs: () => INTERVAL_MS,
    async carry(local, sizeBytes, tail, isEnd) {
      if (received >= sizeBytes && !(isEnd && isMarked)) return;
      const log = readLog(local, sizeBytes - tail.length, tail);
      try {
        for (let stepsBack = 0; ; ) {
          const read = await log.read(received, Math.min(PIECE_BYTES, Math.max(0, sizeBytes - received)));
          const fresh = received + read.length < sizeBytes ? wholeLines(read) : read;
          const isLast = isEnd && received + fresh.length >= sizeBytes;
          const piece = Buffer.concat([overlap, fresh]);
          const offset = received - overlap.length;
          const answer = await send({ session, offset, text: piece.toString("utf8"), isEnd: isLast, isAnew });
          if (answer.received < received && ++stepsBack > STEPS_BACK_MAX)
            throw new Error("the API servers have different parts of the log: configure a shared log folder for them");
          ({ received, isMarked } = answer);
          overlap = endOf(piece.subarray(0, Math.max(0, received - offset)));
          if (received >= sizeBytes) return;
        }
      } finally {
        await log.close();
      }
    },
  };
}

/** Reads a file of which the bytes from `tailAt` on are in memory. The file is opened only if other bytes are needed. */
function readLog(local: LocalLog, tailAt: number, tail: Buffer) {
  let file: FileHandle | null = null;
  return {
    async read(offset: number, length: number): Promise<Buffer> {
      if (offset >= tailAt) return tail.subarray(offset - tailAt, offset - tailAt + length);
      file ??= await openWrittenLog(local);
      const buffer = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
    close: async () => file?.close(),
  };
}

/** The last line, or the end of it. */
function endOf(piece: Buffer): Buffer {
  let start = piece.lastIndexOf(10, -2) + 1;
  if (piece.length - start > OVERLAP_MAX_BYTES) {
    start = piece.length - OVERLAP_MAX_BYTES;
    while (((piece[start] ?? 0) & 0xc0) === 0x80) start++;
  }
  // A copy, since a view would keep the whole piece in memory.
  return Buffer.from(piece.subarray(start));
}

/** The bytes up to the last line end or, for a line longer than a piece, up to the last complete character. */
function wholeLines(buffer: Buffer): Buffer {
  const lineEnd = buffer.lastIndexOf(10) + 1;
  if (lineEnd > 0) return buffer.subarray(0, lineEnd);
  let end = buffer.length;
  // Bytes 10xxxxxx continue a character; its first byte is 11xxxxxx.
  while (end > 0 && ((buffer[end - 1] ?? 0) & 0xc0) === 0x80) end--;
  if (end > 0 && ((buffer[end - 1] ?? 0) & 0xc0) === 0xc0) end--;
  return buffer.subarray(0, end);
}
