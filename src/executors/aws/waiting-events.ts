import { type Workload, workloadId } from "../../contracts/index.ts";
import type { ExecutorEvent } from "../contract.ts";

/** `waiting` of the launch queue as events of its executor. */
export function waitingEvents(executor: string, told: readonly { workload: Workload; reason: string | null }[]): ExecutorEvent[] {
  return told.map(({ workload, reason }) => ({
    id: workloadId(workload),
    kind: "waiting",
    reason: reason === null ? null : `${executor}: ${reason}`,
  }));
}
