import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { sleep } from "./sleep.ts";

/**
 * A variable in a process's environment that marks it and whatever it starts, however deep and even when it detaches
 * itself. Linux only; elsewhere the process group has to do.
 */
export type ProcessMark = { readonly name: string; readonly value: string };

/** Which of these processes live and carry the mark. */
function markedAmong(mark: ProcessMark, pids: readonly number[]): number[] {
  const needle = Buffer.from(`${mark.name}=${mark.value}\0`);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`).includes(needle);
    } catch {
      // ended in between, or another user's
      return false;
    }
  });
}

function listProcesses(): number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []));
  } catch {
    return [];
  }
}

/** The pid that was given out last. Linux only; null elsewhere. */
export function newestPid(): number | null {
  try {
    return Number(readFileSync("/proc/loadavg", "latin1").trim().split(" ").at(-1));
  } catch {
    return null;
  }
}

/** More pids than that are not looked at one by one: there are hardly as many processes. */
const FEW_PIDS = 500;

/** Processes started since `pid` was the newest, threads among them. Pids are given out in order, and begin anew at some height. */
function listSince(pid: number): number[] {
  const newest = newestPid() ?? 0;
  if (newest < pid || newest - pid > FEW_PIDS) return listProcesses();
  return Array.from({ length: newest - pid }, (_, at) => pid + 1 + at);
}

export type ChildrenWatch = {
  /** Whether the process has children right now; one read, so it can be asked after every try. */
  hasAny(): boolean;
  close(): void;
};

/** Watches a process for children that its main thread has started. Linux only; elsewhere it never has any. */
export function watchChildren(pid: number): ChildrenWatch {
  const first = Buffer.alloc(1);
  let list: number | null = null;
  try {
    list = openSync(`/proc/${pid}/task/${pid}/children`, "r");
  } catch {
    // gone already, or no Linux
  }
  return {
    hasAny() {
      try {
        return list !== null && readSync(list, first, 0, 1, 0) > 0;
      } catch {
        return false;
      }
    },
    close() {
      if (list !== null) closeSync(list);
      list = null;
    },
  };
}

/** Signals the process group that `pid` leads; false = there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * SIGKILLs everything that carries the mark, except `spare`; with `since`, only what was started after that pid, which costs little where
 * that is little. A process may fork while we look, so look until none is left.
 */
export function killMarked(mark: ProcessMark, spare: number | null = null, since: number | null = null): void {
  for (let round = 0; round < 5; round++) {
    const pids = markedAmong(mark, since === null ? listProcesses() : listSince(since)).filter((pid) => pid !== spare);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended in between
      }
    }
  }
}

const GONE_LOOK_MS = 10;
/** A process in an uninterruptible wait (a dead network disk) dies when the kernel lets it; nobody waits longer than this for it. */
const GONE_WAIT_MS = 5_000;

/** As `killMarked`; resolves when none is left: a killed process is gone only when the kernel has got round to it. */
export async function killMarkedUntilGone(mark: ProcessMark): Promise<void> {
  for (let waitedMs = 0; markedAmong(mark, listProcesses()).length > 0 && waitedMs < GONE_WAIT_MS; waitedMs += GONE_LOOK_MS) {
    killMarked(mark);
    await sleep(GONE_LOOK_MS);
  }
}
