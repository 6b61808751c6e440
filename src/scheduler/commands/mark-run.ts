import { BaramError } from "../../platform/index.ts";
import {
  addRunNote,
  type Db,
  endRun,
  endRunAfterTeardowns,
  hasUnfinished,
  lockRun,
  type RunFacts,
  restartRun,
  type Store,
  setStates,
  stopRemaining,
} from "../../store/index.ts";
import { type DagCache, readableGraph } from "./dag-cache.ts";
import { type Actor, markedBy, runMarkedBy } from "./stop-reason.ts";

/**
 * Sets a run's state by hand, as Airflow does. success: every task instance becomes a success. failed: what runs fails, what has
 * not ended is skipped. In both cases the teardowns of a running run still run, since what was set up exists, and the run ends
 * after them; its note says who marked it. queued: the run is evaluated again with its task instances as they are.
 * Throws `dag_run_not_found`.
 */
export async function markRun(
  store: Store,
  cache: DagCache,
  dagId: string,
  runId: string,
  state: "success" | "failed" | "queued",
  by: Actor,
): Promise<RunFacts> {
  return store.transaction(async (tx) => {
    const run = await lockRun(tx, dagId, runId);
    if (!run) throw new BaramError("dag_run_not_found", `DAG "${dagId}" has no run "${runId}".`, { dagId, runId });
    if (state === "queued") {
      await restartRun(tx, run.id, true);
      return run;
    }
    const teardowns = run.state === "running" ? await teardownsOf(tx, cache, run) : [];
    const why = runMarkedBy(by, state);
    if (state === "failed") {
      await stopRemaining(tx, run.id, teardowns, ["running", "restarting", "deferred", "up_for_reschedule"], why);
    } else {
      await setStates(tx, run.id, "success", { taskIds: null, exceptTaskIds: teardowns, mapIndex: null, states: null }, why);
    }
    if (teardowns.length > 0 && (await hasUnfinished(tx, run.id))) await endRunAfterTeardowns(tx, run.id, state);
    else await endRun(tx, run.id, state);
    await addRunNote(tx, run.id, `Run ${markedBy(by, state)}.`);
    return run;
  });
}

/** If the version cannot be read, the teardowns could never run: the run ends at once. */
async function teardownsOf(tx: Db, cache: DagCache, run: RunFacts): Promise<string[]> {
  const graph = run.versionId === null ? null : await readableGraph(cache, tx, run.versionId);
  return (graph?.tasks ?? []).filter((task) => task.isTeardown).map((task) => task.taskId);
}
