import { BaramError } from "../../platform/index.ts";
import { countRunning, deleteDag, deleteRun, lockDag, lockRun, type Store } from "../../store/index.ts";

/**
 * Deletes a run that is not running. Its logs stay until a run with the same id writes its own. Throws `dag_run_not_found`,
 * `dag_run_running`.
 */
export async function deleteDagRun(store: Store, dagId: string, runId: string): Promise<void> {
  await store.transaction(async (tx) => {
    const run = await lockRun(tx, dagId, runId);
    if (!run) throw new BaramError("dag_run_not_found", `DAG "${dagId}" has no run "${runId}".`, { dagId, runId });
    if (run.state === "running") {
      throw new BaramError(
        "dag_run_running",
        `Run "${runId}" of DAG "${dagId}" is running and cannot be deleted. Set it to failed first.`,
        { dagId, runId },
      );
    }
    await deleteRun(tx, run.id);
  });
}

/** Removes a DAG with all its runs. Throws `dag_not_found`, and `dag_running` while a task of it is queued or running. */
export async function removeDag(store: Store, dagId: string): Promise<void> {
  await store.transaction(async (tx) => {
    if (!(await lockDag(tx, dagId))) throw new BaramError("dag_not_found", `There is no DAG "${dagId}".`, { dagId });
    const running = await countRunning(tx, dagId);
    if (running > 0) {
      throw new BaramError(
        "dag_running",
        `${running} task instance(s) of DAG "${dagId}" are queued or running, so it cannot be deleted. Pause it and wait, or set its runs to failed.`,
        { dagId, running },
      );
    }
    await deleteDag(tx, dagId);
  });
}
