import {
  addRunNote,
  type Db,
  type EndedTry,
  type FinishGuard,
  finishTries,
  lockRun,
  logEvent,
  stopRemaining,
} from "../../store/index.ts";
import type { Failure } from "./owe-alerts.ts";
import { failedFast } from "./stop-reason.ts";

/**
 * Whether this end of a try stops its run: the DAG has `failFast`, and no retry follows. A teardown whose failure does not
 * fail the run stops nothing either.
 */
export function stopsRun({ graph, task, end }: Failure): boolean {
  return graph.dag.failFast && end.state === "failed" && (!task.isTeardown || task.onFailureFailDagrun);
}

/**
 * Ends the try, and with it the run's other tasks, in one transaction of the caller's: what runs fails, the rest is skipped,
 * teardowns go on (Airflow's `_stop_remaining_tasks`). A scheduler cannot start anything of the run in between.
 */
export async function endAndStopRun(tx: Db, { graph, fact, end }: Failure, guard?: FinishGuard): Promise<EndedTry[]> {
  // Lock order everywhere: the run before its task instances.
  await lockRun(tx, fact.dagId, fact.runId);
  const ended = await finishTries(tx, [end], guard);
  if (ended.length === 0) return ended;
  const teardowns = graph.tasks.filter((task) => task.isTeardown).map((task) => task.taskId);
  const { dagId, runId, taskId, mapIndex } = fact;
  const why = failedFast(taskId, mapIndex);
  const stopped = await stopRemaining(tx, fact.dagRunId, teardowns, ["running", "restarting"], why);
  if (stopped.length > 0) {
    const extra = { failed: taskId, stopped: stopped.length };
    await logEvent(tx, { event: "fail_fast", owner: "scheduler", dagId, runId, taskId, extra });
    await addRunNote(tx, fact.dagRunId, `Stopped: ${why}; task instances that had not ended: ${stopped.length}.`);
  }
  return ended;
}
