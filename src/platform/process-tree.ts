import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { sleep } from "./sleep.ts";

/**
 * A variable in a process's environment that marks it and whatever it starts, however deep and even when it detaches
 * itself. Linux only; elsewhere the process group has to do.
 */
export type ProcessMark = { readonly name: string; readonly value: string };

/** Pids of living processes that carry the mark. */
function markedProcesses(mark: ProcessMark): number[] {
  const needle = Buffer.from(`${mark.name}=${mark.value}\0`);
  const found: number[] = [];
  for (const name of listProcesses()) {
    try {
      if (readFileSync(`/proc/${name}/environ`).includes(needle)) found.push(Number(name));
    } catch {
      // ended in between, or another user's
    }
  }
  return found;
}

function listProcesses(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
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

/** SIGKILLs everything that carries the mark, except `spare`. A process may fork while we look, so look until none is left. */
export function killMarked(mark: ProcessMark, spare: number | null = null): void {
  for (let round = 0; round < 5; round++) {
    const pids = markedProcesses(mark).filter((pid) => pid !== spare);
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
  for (let waitedMs = 0; markedProcesses(mark).length > 0 && waitedMs < GONE_WAIT_MS; waitedMs += GONE_LOOK_MS) {
    killMarked(mark);
    await sleep(GONE_LOOK_MS);
  }
}
