import { BaramError } from "../../platform/index.ts";
import { endRun, lockRun, type RunFacts, restartRun, type Store, setStates } from "../../store/index.ts";

/**
 * Sets a run's state by hand, as Airflow does. success: every task instance becomes a success. failed: what runs fails, what
 * has not ended is skipped. queued: the run is evaluated anew with its task instances as they are.
 * Throws `dag_run_not_found`.
 */
export async function markRun(
  store: Store,
  dagId: string,
  runId: string,
  state: "success" | "failed" | "queued",
): Promise<RunFacts> {
  return store.transaction(async (tx) => {
    const run = await lockRun(tx, dagId, runId);
    if (!run) throw new BaramError("dag_run_not_found", `DAG "${dagId}" has no run "${runId}".`, { dagId, runId });
    const all = { taskIds: null, mapIndex: null };
    switch (state) {
      case "success":
        await setStates(tx, run.id, "success", { ...all, states: null });
        await endRun(tx, run.id, "success");
        break;
      case "failed":
        await setStates(tx, run.id, "failed", { ...all, states: ["running", "restarting"] });
        await setStates(tx, run.id, "skipped", {
          ...all,
          states: ["none", "scheduled", "queued", "up_for_retry", "up_for_reschedule", "deferred"],
        });
        await endRun(tx, run.id, "failed");
        break;
      case "queued":
        await restartRun(tx, run.id, true);
        break;
    }
    return run;
  });
}
