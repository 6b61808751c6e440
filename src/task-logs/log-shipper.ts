import { stat } from "node:fs/promises";
import { sleep, startTimer, type Timer, toError } from "../platform/index.ts";
import type { WrittenLog } from "./log-writer.ts";

/** Brings one try's log, a file on this machine that grows, to where others can read it. */
export type LogCarrier = {
  /**
   * Brings over what the first `sizeBytes` of the file have that the store lacks. Rejects when the store is away; what arrived before stays
   * so. `tail`: the last of those bytes, as far as they are in memory. `isEnd`: the file is complete.
   */
  carry(file: string, sizeBytes: number, tail: Buffer, isEnd: boolean): Promise<void>;
  /** Whether asking again is no use: it was refused. */
  isHopeless(error: Error): boolean;
  /** How long a grown file may wait: a store that takes only whole files is asked less often for large ones. */
  intervalMs(sizeBytes: number): number;
};

export type LogShipper = {
  /** Brings over what is in the file now. Resolves when it is there, or could not be brought. */
  ship(): Promise<void>;
  /** The file is complete: brings the rest, asking again for `windowMs`. Returns how many bytes did not get there. */
  end(windowMs: number): Promise<number>;
};

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;
const NOT_IN_MEMORY = Buffer.alloc(0);

/**
 * Ships what is in the file and nothing else: what a store that is away has missed waits on the disk, within the log's own size limit. The
 * file's end is read from the writer's memory where it has it: opening and reading each log was a quarter of a busy worker's time.
 */
export function createLogShipper(options: {
  file: string;
  carrier: LogCarrier;
  /** What its one writer has added to the file: while that stands still, nobody need look at the disk. */
  written: () => WrittenLog;
  onFault: (error: Error) => void;
}): LogShipper {
  const { file, carrier } = options;
  let shippedBytes = 0;
  let seen: WrittenLog | null = null;
  let failures = 0;
  let isOver = false;
  let isHopeless = false;
  let underWay: Promise<boolean> | null = null;
  let timer: Timer | null = null;

  /** Whether all that the file had at its start is there. One at a time. */
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
      const sizeBytes = written === seen ? shippedBytes : (written.sizeBytes ?? (await sizeOf(file)));
      const tail = sizeBytes === written.sizeBytes ? written.tail : NOT_IN_MEMORY;
      if (sizeBytes > shippedBytes || isEnd) await carrier.carry(file, sizeBytes, tail, isEnd);
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
    // A process that has nothing else to do is to end; `end` waits of its own.
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
      return written === seen ? 0 : Math.max(0, (written.sizeBytes ?? (await sizeOf(file))) - shippedBytes);
    },
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    // Nothing was written yet.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}
