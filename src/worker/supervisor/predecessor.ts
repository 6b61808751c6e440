import type { RunnerWorkload } from "../../contracts/index.ts";
import type { Attempt } from "./attempt.ts";

/** An earlier try of the same task instance that has not ended here: its successor must not run beside it. */
export function predecessorOf(workload: RunnerWorkload, attempts: ReadonlyMap<string, Attempt>): Attempt | null {
  // First tries, the most common case, have none.
  if (workload.type !== "ExecuteTask" || workload.ti.tryNumber <= 1) return null;
  const { dagId, runId, taskId, mapIndex, tryNumber } = workload.ti;
  for (const attempt of attempts.values()) {
    if (attempt.workload.type !== "ExecuteTask") continue;
    const { ti } = attempt.workload;
    const isSameInstance = ti.taskId === taskId && ti.mapIndex === mapIndex && ti.runId === runId && ti.dagId === dagId;
    if (isSameInstance && ti.tryNumber < tryNumber) return attempt;
  }
  return null;
}
