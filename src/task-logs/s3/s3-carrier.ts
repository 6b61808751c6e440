import { type LocalLog, type LogCarrier, openWrittenLog } from "../log-shipper.ts";
import type { S3Place } from "./s3-place.ts";

/** The first puts follow quickly, since people wait for the first lines; later ones cost the same and bring less. */
const INTERVAL_MS_MIN = 2_000;
const INTERVAL_MS_MAX = 60_000;
const INTERVAL_GROWTH = 1.25;
/** Average limit of the bytes sent for one log. */
const BYTES_PER_SEC_MAX = 512 * 1024;
const CHUNK_BYTES = 256 * 1024;

/**
 * Stores a log as one object, which is replaced as the log grows, since S3 cannot append. `mayGoOn`: another worker may have
 * started this log (the try was deferred or rescheduled); then the existing content stays at the front.
 */
export function createS3Carrier(place: S3Place, path: string, mayGoOn: boolean): LogCarrier {
  let head: Buffer | null = mayGoOn ? null : Buffer.alloc(0);
  let puts = 0;
  let storedBytes = 0;

  /** The existing content of the object, unless this machine's file starts with it. */
  async function findHead(log: LocalLog): Promise<Buffer> {
    const sizeBytes = await place.size(path);
    const there = sizeBytes === null ? null : await place.read(path, 0, sizeBytes);
    if (there === null) return Buffer.alloc(0);
    return (await startsWith(log, there)) ? Buffer.alloc(0) : there;
  }

  return {
    isHopeless: () => false,
    intervalMs: (sizeBytes) =>
      Math.max(
        Math.min(INTERVAL_MS_MAX, INTERVAL_MS_MIN * INTERVAL_GROWTH ** puts),
        ((sizeBytes + (head?.length ?? 0)) / BYTES_PER_SEC_MAX) * 1_000,
      ),
    async carry(log, sizeBytes) {
      if (sizeBytes <= storedBytes) return;
      head ??= await findHead(log);
      const chunks = chunksOf(head, log, sizeBytes);
      try {
        await place.put(path, chunks, head.length + sizeBytes);
      } finally {
        // A put that fails leaves the rest, and the open file, where they are.
        await chunks.return(undefined);
      }
      puts++;
      storedBytes = sizeBytes;
    },
  };
}

async function* chunksOf(head: Buffer, log: LocalLog, sizeBytes: number): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  const file = await openWrittenLog(log);
  try {
    for (let at = 0; at < sizeBytes; ) {
      const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error(`${log.path} has become shorter while it was sent`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function startsWith(log: LocalLog, bytes: Buffer): Promise<boolean> {
  const file = await openWrittenLog(log);
  try {
    const start = Buffer.alloc(bytes.length);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    return bytesRead === bytes.length && start.equals(bytes);
  } finally {
    await file.close();
  }
}
