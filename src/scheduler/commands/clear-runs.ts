import type { TaskInstanceState } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { type ClearDirections, tasksToClear } from "../../serialized/index.ts";
import {
  clearInstances,
  type Db,
  findDag,
  type NamedIndex,
  pickInstances,
  repinRun,
  restartRun,
  type Store,
  setInstanceNotes,
} from "../../store/index.ts";
import { newInstances } from "./create-dag-run.ts";
import type { DagCache } from "./dag-cache.ts";
import { lockPickedRuns, type RunPick } from "./pick-runs.ts";

export type ClearRequest = {
  dagId: string;
  runs: RunPick;
  /** null = every task. */
  taskIds: readonly string[] | null;
  /** Of tasks named here only these map indexes; all of what comes along by `directions`. */
  only?: readonly NamedIndex[];
  directions: ClearDirections;
  states: readonly TaskInstanceState[] | null;
  /** false: leave runs that have ended as they are. */
  resetRuns: boolean;
  /** Refuse with `task_running` if any of them is queued or running. */
  preventRunning: boolean;
  dryRun: boolean;
  /** Put the runs on the DAG's current version; its tasks decide what belongs together then. Names the default executor. */
  onLatestVersion?: { defaultExecutor: string } | null;
  /** Left alone if undefined. */
  note?: string | null;
};

export type Touched = { dagRunId: number; taskId: string; mapIndex: number };

/**
 * Clears task instances over one or several runs, all or nothing, and returns the ones concerned; a dry run only names
 * them. Which tasks belong together is decided by each run's own DAG version.
 */
export async function clearRuns(store: Store, cache: DagCache, request: ClearRequest): Promise<Touched[]> {
  return store.transaction(async (tx) => {
    const touched: Touched[] = [];
    const latest = request.onLatestVersion ? ((await findDag(tx, request.dagId))?.versionId ?? null) : null;
    for (const run of await lockPickedRuns(tx, request.dagId, request.runs)) {
      const taskIds = await tasksOf(tx, cache, latest ?? run.versionId, request);
      const picked = await pickInstances(tx, [run.id], taskIds, request.states, request.only);
      const running = picked.find((one) => one.state === "running" || one.state === "queued" || one.state === "restarting");
      if (request.preventRunning && running) {
        throw new BaramError(
          "task_running",
          `Task "${running.taskId}" of run "${run.runId}" is ${running.state}; it was not to be cleared while it runs.`,
          { runId: run.runId, taskId: running.taskId },
        );
      }
      touched.push(...picked.map(({ dagRunId, taskId, mapIndex }) => ({ dagRunId, taskId, mapIndex })));
      if (request.dryRun || picked.length === 0) continue;
      const cleared = [...new Set(picked.map((one) => one.taskId))];
      await clearInstances(tx, run.id, taskIds, request.states, request.only);
      if (request.onLatestVersion && latest !== null && latest !== run.versionId) {
        const { graph } = await cache.get(tx, latest);
        await repinRun(tx, run.id, latest, newInstances(graph.dag, request.onLatestVersion.defaultExecutor));
      }
      if (request.note !== undefined) await setInstanceNotes(tx, run.id, { taskIds: cleared, mapIndex: null }, request.note);
      const hasEnded = run.state === "success" || run.state === "failed";
      await restartRun(tx, run.id, hasEnded && request.resetRuns);
    }
    return touched;
  });
}

async function tasksOf(
  tx: Db,
  cache: DagCache,
  versionId: string | null,
  { taskIds, directions }: Pick<ClearRequest, "taskIds" | "directions">,
): Promise<readonly string[] | null> {
  if (taskIds === null || versionId === null) return taskIds;
  const { graph } = await cache.get(tx, versionId);
  return tasksToClear(graph.dag, taskIds, directions);
}
