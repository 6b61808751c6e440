import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

const SHOWN = 10;

/** Prints the ten test files that took longest, so that a tier's time is known file by file. */
export const slowestFiles: Reporter = {
  onTestRunEnd(modules) {
    const slowest = [...modules].sort((a, b) => secondsOf(b) - secondsOf(a)).slice(0, SHOWN);
    if (modules.length <= SHOWN) return;
    console.log(` Slowest ${SHOWN} of ${modules.length} files:`);
    for (const module of slowest)
      console.log(`${secondsOf(module).toFixed(1).padStart(8)} s  ${relative(process.cwd(), module.moduleId)}`);
  },
};

/** With its imports and hooks, as long as the file kept a worker. */
function secondsOf(module: TestModule): number {
  const { duration, collectDuration, setupDuration, prepareDuration } = module.diagnostic();
  return (duration + collectDuration + setupDuration + prepareDuration) / 1_000;
}
