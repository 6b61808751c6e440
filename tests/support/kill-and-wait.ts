import { readFileSync } from "node:fs";

/**
 * SIGKILLs a process and blocks until it is dead, its pipes closed: nobody in this process has heard of it then, as in the moment
 * between a child's death and its `exit` event.
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
