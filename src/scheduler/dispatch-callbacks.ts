import { queueCallbacks } from "../store/index.ts";
import { callbackLogPathOf } from "./commands/index.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Hands the callbacks that the platform owes to the default executor, ahead of tasks. Returns how many. */
export async function dispatchCallbacks(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  const executor = [...resources.executors.values()][0];
  const room = Math.min(executor?.slotsAvailable() ?? 0, options.maxCallbacks);
  if (!executor || room <= 0) return 0;
  const queued = await queueCallbacks(resources.store, room, options.jobId());
  const workloads = [];
  for (const one of queued) {
    workloads.push({
      type: "ExecuteCallback" as const,
      token: await resources.tokens.sign("baram:workload", { subject: one.id }, null),
      callbackId: one.id,
      moduleHash: one.moduleHash,
      logPath: callbackLogPathOf(one),
    });
  }
  if (workloads.length > 0) executor.queue(workloads);
  return queued.length;
}
