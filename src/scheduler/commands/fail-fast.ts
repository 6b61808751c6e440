import {
  addRunNote,
  type Db,
  type FinishedTry,
  type FinishGuard,
  finishTries,
  lockRun,
  logEvent,
  stopRemaining,
} from "../../store/index.ts";
import type { Failure } from "./owe-alerts.ts";
import { failedFast } from "./stop-reason.ts";

/**
 * Whether this end of a try stops its run: the DAG has `failFast`, and no retry follows. A teardown whose failure does not fail the
 * run does not stop it either.
 */
export function stopsRun({ graph, task, end }: Failure): boolean {
  return graph.dag.failFast && end.state === "failed" && (!task.isTeardown || task.onFailureFailDagrun);
}

/**
 * Finishes the try, and with it the run's other tasks, in the caller's transaction: running ones fail, the rest are skipped,
 * teardowns go on (Airflow's `_stop_remaining_tasks`). A scheduler cannot start anything of the run in between.
 */
export async function finishAndStopRun(tx: Db, { graph, fact, end }: Failure, guard?: FinishGuard): Promise<FinishedTry[]> {
  // Lock order everywhere: the run before its task instances.
  await lockRun(tx, fact.dagId, fact.runId);
  const finished = await finishTries(tx, [end], guard);
  if (finished.length === 0) return finished;
  const teardowns = graph.tasks.filter((task) => task.isTeardown).map((task) => task.taskId);
  const { dagId, runId, taskId, mapIndex } = fact;
  const why = failedFast(taskId, mapIndex);
  const stopped = await stopRemaining(tx, fact.dagRunId, teardowns, ["running", "restarting"], why);
  if (stopped.length > 0) {
    const extra = { failed: taskId, stopped: stopped.length };
    await logEvent(tx, { event: "fail_fast", owner: "scheduler", dagId, runId, taskId, extra });
    await addRunNote(tx, fact.dagRunId, `Stopped: ${why}; task instances that had not ended: ${stopped.length}.`);
  }
  return finished;
}
