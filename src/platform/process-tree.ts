import { readdirSync, readFileSync } from "node:fs";

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

/** Whether the process has children right now; cheap, so it can be asked after every try. */
export function hasChildren(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim() !== "";
  } catch {
    return false;
  }
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
