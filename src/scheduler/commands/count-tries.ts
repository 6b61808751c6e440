import type { Metrics } from "../../platform/index.ts";
import type { EndedTry } from "../../store/index.ts";
import type { CreatedRun } from "./create-dag-run.ts";

/** Tells of tries that have ended. For after the commit: a transaction may run twice. */
export function countEnds(metrics: Metrics, ended: readonly EndedTry[]): void {
  for (const { dagId: dag_id, taskId: task_id, operator, state, startDate, endDate } of ended) {
    metrics.count("ti.finish", { dag_id, task_id, state });
    if (startDate) metrics.time("task.duration", { dag_id, task_id }, (endDate.getTime() - startDate.getTime()) / 1_000);
    if (state === "success") {
      metrics.count("ti_successes", { dag_id, task_id });
      metrics.count("operator_successes", { operator });
    } else if (state === "failed" || state === "up_for_retry") {
      metrics.count("ti_failures", { dag_id, task_id });
      metrics.count("operator_failures", { operator });
    }
  }
}

/** Tells of the task instances that came with a run; for after the commit. */
export function countCreated(metrics: Metrics, { instances }: CreatedRun): void {
  for (const [operator, by] of instances) metrics.count("task_instance_created", { operator }, by);
}
