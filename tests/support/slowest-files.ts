import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

const SHOWN = 10;

/** Prints the ten slowest test files, to show which files take a tier's time. */
export const slowestFiles: Reporter = {
  onTestRunEnd(modules) {
    const slowest = [...modules].sort((a, b) => secondsOf(b) - secondsOf(a)).slice(0, SHOWN);
    if (modules.length <= SHOWN) return;
    console.log(` Slowest ${SHOWN} of ${modules.length} files:`);
    for (const module of slowest)
      console.log(`${secondsOf(module).toFixed(1).padStart(8)} s  ${relative(process.cwd(), module.moduleId)}`);
  },
};

/** Including its imports and hooks: the time for which the file occupied a worker. */
function secondsOf(module: TestModule): number {
  const { duration, collectDuration, setupDuration, prepareDuration } = module.diagnostic();
  return (duration + collectDuration + setupDuration + prepareDuration) / 1_000;
}
