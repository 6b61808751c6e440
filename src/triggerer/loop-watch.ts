const TICK_MS = 100;
/** As Airflow's watch of its triggerer: what blocks for longer holds up all triggers of the process. */
const BLOCKED_MS = 200;

/**
 * Reports when this process's event loop was blocked, and for how long. Runs only while started, since each tick wakes an idle
 * process.
 */
export function createLoopWatch(onBlocked: (blockedMs: number) => void): { start(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      if (timer) return;
      let last = performance.now();
      timer = setInterval(() => {
        const now = performance.now();
        const lateMs = now - last - TICK_MS;
        last = now;
        if (lateMs > BLOCKED_MS) onBlocked(Math.round(lateMs));
      }, TICK_MS).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
