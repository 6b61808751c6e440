import { readFileSync } from "node:fs";

/**
 * Kills a process with SIGKILL and blocks until it is dead and its pipes are closed: no code in this process has been notified
 * then, as in the moment between a child's death and its `exit` event.
 */
export function killAndWait(pid: number): void {
  process.kill(pid, "SIGKILL");
  const deadline = Date.now() + 5_000;
  while (!isDead(pid)) if (Date.now() > deadline) throw new Error(`process ${pid} does not die`);
}

function isDead(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
}
