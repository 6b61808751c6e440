import type { FileHandle } from "node:fs/promises";
import { sleep, startTimer, type Timer, toError } from "../platform/index.ts";
import type { WrittenLog } from "./log-writer.ts";
import { openLogToRead } from "./open-log.ts";

/** A log on this machine: its path below the folder of all logs. */
export type LocalLog = { readonly folder: string; readonly path: string };

/** Uploads the log of one try, a growing file on this machine, so that other machines can read it. */
export type LogCarrier = {
  /**
   * Uploads those of the first `sizeBytes` of the file that the store does not have. Rejects if the store is unavailable; bytes
   * that arrived before are kept. `tail`: the last of those bytes that are in memory. `isEnd`: the file is complete.
   */
  carry(log: LocalLog, sizeBytes: number, tail: Buffer, isEnd: boolean): Promise<void>;
  /** Whether a retry is useless, since the store refused the log. */
  isHopeless(error: Error): boolean;
  /**
   * Minimum time between two uploads of a growing file: a store that accepts only complete files is used less often for large
   * ones.
   */
  intervalMs(sizeBytes: number): number;
};

export type LogShipper = {
  /** Uploads the current content of the file. Resolves when it has been uploaded, or could not be. */
  ship(): Promise<void>;
  /**
   * The file is complete: uploads the rest, with retries for `windowMs`. Returns the number of bytes that could not be uploaded.
   */
  end(windowMs: number): Promise<number>;
};

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;
const NOT_IN_MEMORY = Buffer.alloc(0);

/**
 * Uploads the file and buffers nothing: while a store is unavailable, the missing bytes stay on the disk, within the log's own
 * size limit. The end of the file is taken from the writer's memory if possible: opening and reading each log took a quarter of a
 * busy worker's time.
 */
export function createLogShipper(options: {
  log: LocalLog;
  carrier: LogCarrier;
  /** The file's state as its only writer knows it: while it does not change, the disk need not be read. */
  written: () => WrittenLog;
  onFault: (error: Error) => void;
}): LogShipper {
  const { log, carrier } = options;
  let shippedBytes = 0;
  let seen: WrittenLog | null = null;
  let failures = 0;
  let isOver = false;
  let isHopeless = false;
  let underWay: Promise<boolean> | null = null;
  let timer: Timer | null = null;

  /** Returns whether everything that the file contained at the start has been uploaded. Only one runs at a time. */
  async function carry(isEnd: boolean): Promise<boolean> {
    while (underWay) await underWay;
    underWay = carryOnce(isEnd).finally(() => {
      underWay = null;
    });
    return underWay;
  }

  async function carryOnce(isEnd: boolean): Promise<boolean> {
    try {
      const written = options.written();
      const sizeBytes = written === seen ? shippedBytes : (written.sizeBytes ?? (await sizeOf(log)));
      const tail = sizeBytes === written.sizeBytes ? written.tail : NOT_IN_MEMORY;
      if (sizeBytes > shippedBytes || isEnd) await carrier.carry(log, sizeBytes, tail, isEnd);
      shippedBytes = Math.max(shippedBytes, sizeBytes);
      seen = written;
      failures = 0;
      return true;
    } catch (error) {
      failures++;
      isHopeless = carrier.isHopeless(toError(error));
      if (failures === 1 || isHopeless) options.onFault(toError(error));
      return false;
    }
  }

  const waitMs = () => (failures > 0 ? Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures) : carrier.intervalMs(shippedBytes));
  function plan(): void {
    if (isOver || isHopeless) return;
    // The timer must not keep the process alive; `end` has its own wait.
    timer = startTimer(waitMs(), () => void carry(false).then(plan)).unref();
  }
  plan();

  return {
    async ship() {
      await carry(false);
    },
    async end(windowMs) {
      isOver = true;
      timer?.cancel();
      const deadline = Date.now() + windowMs;
      while (!isHopeless && !(await carry(true)) && Date.now() < deadline)
        await sleep(Math.min(waitMs(), Math.max(0, deadline - Date.now())));
      const written = options.written();
      return written === seen ? 0 : Math.max(0, (written.sizeBytes ?? (await sizeOf(log))) - shippedBytes);
    },
  };
}

/** 0 = the file has not been written yet. */
async function sizeOf({ folder, path }: LocalLog): Promise<number> {
  const file = await openLogToRead(folder, path);
  if (file === null) return 0;
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Opens a log of which a part has been written. */
export async function openWrittenLog({ folder, path }: LocalLog): Promise<FileHandle> {
  const file = await openLogToRead(folder, path);
  if (file === null) throw new Error(`the log ${path} is gone from ${folder}`);
  return file;
}
