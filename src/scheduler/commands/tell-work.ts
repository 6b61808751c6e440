/** Logs and metrics of what a scheduler or an API server did. Call after the commit, since a transaction may run twice. */
import type { Logger, Metrics } from "../../platform/index.ts";
import type { FinishedTry } from "../../store/index.ts";
import type { CreatedRun } from "./create-dag-run.ts";

type Listeners = { readonly metrics: Metrics; readonly logger: Logger };

const MESSAGES: Readonly<Record<FinishedTry["state"], string>> = {
  success: "task finished",
  failed: "task failed",
  skipped: "task skipped",
  up_for_retry: "task failed and will be retried",
  up_for_reschedule: "task rescheduled",
  deferred: "task deferred",
};

export function tellFinished({ metrics, logger }: Listeners, finished: readonly FinishedTry[]): void {
  for (const one of finished) {
    const { dagId: dag_id, taskId: task_id, operator, state, startDate, endDate } = one;
    const durationSec = startDate && (endDate.getTime() - startDate.getTime()) / 1_000;
    logger.info({ ...placeOf(one), state, durationSec }, MESSAGES[state]);
    metrics.count("ti.finish", { dag_id, task_id, state });
    if (durationSec !== null) metrics.time("task.duration", { dag_id, task_id }, durationSec);
    if (state === "success") {
      metrics.count("ti_successes", { dag_id, task_id });
      metrics.count("operator_successes", { operator });
    } else if (state === "failed" || state === "up_for_retry") {
      metrics.count("ti_failures", { dag_id, task_id });
      metrics.count("operator_failures", { operator });
    }
  }
}

export function tellCreated({ metrics, logger }: Listeners, { dagId, runId, instances }: CreatedRun): void {
  let tasks = 0;
  for (const [operator, by] of instances) {
    tasks += by;
    metrics.count("task_instance_created", { operator }, by);
  }
  logger.info({ dagId, runId, tasks }, "run created");
}

/** Which try, in a line of the log. */
export function placeOf(one: { dagId: string; runId: string; taskId: string; mapIndex: number; tryNumber: number }): object {
  const { dagId, runId, taskId, mapIndex, tryNumber } = one;
  return mapIndex < 0 ? { dagId, runId, taskId, tryNumber } : { dagId, runId, taskId, mapIndex, tryNumber };
}
