import { stat } from "node:fs/promises";
import { sleep, toError } from "../platform/index.ts";

/** Brings one try's log, a file on this machine that grows, to where others can read it. */
export type LogCarrier = {
  /**
   * Brings over what the first `sizeBytes` of the file have that the store lacks. Rejects when the store is away; what arrived before stays
   * so. `isEnd`: the file is complete.
   */
  carry(file: string, sizeBytes: number, isEnd: boolean): Promise<void>;
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

/**
 * Ships from the file and not from memory: what a store that is away has missed waits on the disk, within the log's own size limit, and
 * nothing is shipped that is not in the file.
 */
export function createLogShipper(options: {
  file: string;
  carrier: LogCarrier;
  /** How often its one writer has added to the file: while that stands still, nobody need look at the disk. */
  additions: () => number;
  onFault: (error: Error) => void;
}): LogShipper {
  const { file, carrier } = options;
  let shippedBytes = 0;
  let seenAdditions = -1;
  let failures = 0;
  let isOver = false;
  let isHopeless = false;
  let underWay: Promise<boolean> | null = null;
  let timer: NodeJS.Timeout | null = null;

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
      const additions = options.additions();
      const sizeBytes = additions === seenAdditions ? shippedBytes : await sizeOf(file);
      if (sizeBytes > shippedBytes || isEnd) await carrier.carry(file, sizeBytes, isEnd);
      shippedBytes = Math.max(shippedBytes, sizeBytes);
      seenAdditions = additions;
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
    timer = setTimeout(() => void carry(false).then(plan), waitMs());
    // A process that has nothing else to do is to end; `end` waits of its own.
    timer.unref();
  }
  plan();

  return {
    async ship() {
      await carry(false);
    },
    async end(windowMs) {
      isOver = true;
      if (timer) clearTimeout(timer);
      const deadline = Date.now() + windowMs;
      while (!isHopeless && !(await carry(true)) && Date.now() < deadline)
        await sleep(Math.min(waitMs(), Math.max(0, deadline - Date.now())));
      return options.additions() === seenAdditions ? 0 : Math.max(0, (await sizeOf(file)) - shippedBytes);
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
