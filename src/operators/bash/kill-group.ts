import type { ChildProcess } from "node:child_process";

const KILL_AFTER_MS = 3_000;

/**
 * Ends a detached child and its process group when `signal` aborts: SIGTERM, later SIGKILL. Returns a function that stops
 * watching.
 */
export function killGroupOnAbort(child: ChildProcess, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    killGroup(child, "SIGTERM");
    timer = setTimeout(() => killGroup(child, "SIGKILL"), KILL_AFTER_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    // The command has ended, but its background processes have not.
    if (signal.aborted) killGroup(child, "SIGKILL");
  };
}

function killGroup(child: ChildProcess, signalName: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signalName);
  } catch {
    // ESRCH: all processes of the group have ended.
  }
}
