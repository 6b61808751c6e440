import { readdirSync, readFileSync } from "node:fs";

/** The variable that marks a runner and whatever it starts, however deep and even when it detaches itself. */
export const RUNNER_MARK = "BARAM_RUNNER_ID";

/** Pids of living processes that carry the mark. Linux only; elsewhere the process group has to do. */
export function markedProcesses(runnerId: string): number[] {
  const needle = Buffer.from(`${RUNNER_MARK}=${runnerId}\0`);
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

/** Signals the runner's process group; false = there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** SIGKILLs everything the runner started, except `spare`. A process may fork while we look, so look until none is left. */
export function killMarked(runnerId: string, spare: number | null): void {
  for (let round = 0; round < 5; round++) {
    const pids = markedProcesses(runnerId).filter((pid) => pid !== spare);
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
