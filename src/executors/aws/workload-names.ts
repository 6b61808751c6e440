import { type Workload, workloadId } from "../../contracts/index.ts";

/** The same for every launch of one try, although it gets a new id each time it is requeued. */
export function tryKeyOf(workload: Workload): string {
  if (workload.type !== "ExecuteTask") return workloadId(workload);
  const { dagId, runId, taskId, mapIndex, tryNumber } = workload.ti;
  return JSON.stringify([dagId, runId, taskId, mapIndex, tryNumber]);
}
