import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";

/**
 * An environment variable that marks a process and all its descendants, even those that detach themselves. Linux only; on other
 * systems the process group is used.
 */
export type ProcessMark = { readonly name: string; readonly value: string };

/** All marks: they must stay in a process's environment, where they are looked for. */
export const PROCESS_MARKS: readonly string[] = [
  "BARAM_RUNNER_ID",
  "BARAM_TRIGGERS_ID",
  "BARAM_SUPERVISOR_ID",
  "BARAM_WORKER_INSTANCE",
];

/** The processes among `pids` that are alive and carry the mark. */
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

export function listProcesses(): number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []));
  } catch {
    return [];
  }
}

/** The pid of the newest process. Linux only; null elsewhere. */
export function newestPid(): number | null {
  try {
    return Number(readFileSync("/proc/loadavg", "latin1").trim().split(" ").at(-1));
  } catch {
    return null;
  }
}

/** Limit up to which pids are checked one by one; a larger range hardly contains as many processes. */
const FEW_PIDS = 500;

/**
 * Processes and threads started after `pid` was the newest. Pids are assigned in order, and start again from the beginning at
 * some maximum.
 */
export function listSince(pid: number): number[] {
  const newest = newestPid() ?? 0;
  if (newest < pid || newest - pid > FEW_PIDS) return listProcesses();
  return Array.from({ length: newest - pid }, (_, at) => pid + 1 + at);
}

export type ChildrenWatch = {
  /** Whether the process has children now; this needs one read, so it can be called after every try. */
  hasAny(): boolean;
  close(): void;
};

/** Watches a process for children that its main thread started. Linux only; elsewhere it never finds any. */
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

/** Sends a signal to the process group that `pid` leads; false = the group no longer exists. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Sends SIGKILL to all processes that carry the mark, except `spare`. With `since`, only processes started after that pid are
 * checked, which is cheap if there are few. Repeated until none is left, since a process may fork in between. Returns how many there
 * were at first.
 */
export function killMarked(mark: ProcessMark, spare: number | null = null, since: number | null = null): number {
  let first = 0;
  for (let round = 0; round < 5; round++) {
    const pids = markedAmong(mark, since === null ? listProcesses() : listSince(since)).filter((pid) => pid !== spare);
    if (round === 0) first = pids.length;
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended in between
      }
    }
  }
  return first;
}
