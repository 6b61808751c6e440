import type { Workload } from "../../contracts/index.ts";

/** The same for every launch of one try, which is queued under a new id each time that it is given back. */
export function tryKeyOf(workload: Workload): string {
  if (workload.type === "ExecuteCallback") return workload.callbackId;
  const { dagId, runId, taskId, mapIndex, tryNumber } = workload.ti;
  return JSON.stringify([dagId, runId, taskId, mapIndex, tryNumber]);
}
