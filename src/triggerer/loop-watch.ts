const TICK_MS = 100;
/** As Airflow's watch of its triggerer: what blocks for longer holds up all triggers of the process. */
const BLOCKED_MS = 200;

/** Tells when this process's event loop was blocked, and for how long. */
export function watchLoop(onBlocked: (blockedMs: number) => void): { stop(): void } {
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const lateMs = now - last - TICK_MS;
    last = now;
    if (lateMs > BLOCKED_MS) onBlocked(Math.round(lateMs));
  }, TICK_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
