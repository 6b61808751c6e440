import type { Workload } from "../../contracts/index.ts";
import type { Attempt } from "./attempt.ts";

/** An earlier try of the same task instance that the supervisor is not done with: its successor must not start beside it. */
export function predecessorOf(workload: Workload, attempts: ReadonlyMap<string, Attempt>): Attempt | null {
  // No first try has one, and most are first tries.
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
