import type { TaskInstanceState } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { type ClearDirections, tasksToClear } from "../../serialized/index.ts";
import {
  clearInstances,
  type Db,
  findDag,
  type NamedIndex,
  noteInstances,
  pickInstances,
  repinRun,
  restartRun,
  type Store,
} from "../../store/index.ts";
import { pinnedTasks } from "./create-dag-run.ts";
import type { DagCache } from "./dag-cache.ts";
import { lockPickedRuns, type RunPick } from "./pick-runs.ts";
import { type Actor, clearedBy } from "./stop-reason.ts";

export type ClearRequest = {
  dagId: string;
  by: Actor;
  runs: RunPick;
  /** null = every task. */
  taskIds: readonly string[] | null;
  /** Of tasks named here only these map indexes; of tasks added by `directions`, all. */
  only?: readonly NamedIndex[];
  directions: ClearDirections;
  states: readonly TaskInstanceState[] | null;
  /** false: leave runs that have ended as they are. */
  resetRuns: boolean;
  /** Refuse with `task_running` if any of them is queued or running. */
  preventRunning: boolean;
  dryRun: boolean;
  /**
   * Move the runs to the DAG's current version, whose graph then decides which tasks belong together. Holds the default executor's
   * name.
   */
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
    const unknown = new Set(request.taskIds ?? []);
    let runCount = 0;
    const latest = request.onLatestVersion ? ((await findDag(tx, request.dagId))?.versionId ?? null) : null;
    for (const run of await lockPickedRuns(tx, request.dagId, request.runs)) {
      runCount += 1;
      const { taskIds, only } = await targetsOf(tx, cache, latest ?? run.versionId, request);
      const picked = await pickInstances(tx, [run.id], taskIds, request.states, only);
      if (unknown.size > 0) await removeKnown(tx, cache, unknown, [run.versionId, latest]);
      for (const { taskId } of picked) unknown.delete(taskId);
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
      await clearInstances(tx, run.id, taskIds, request.states, clearedBy(request.by), only);
      if (request.onLatestVersion && latest !== null && latest !== run.versionId) {
        const { graph } = await cache.get(tx, latest);
        await repinRun(tx, run.id, latest, pinnedTasks(graph, request.onLatestVersion.defaultExecutor, run.logicalDate));
      }
      if (request.note !== undefined) await noteInstances(tx, run.id, picked, request.note);
      const hasEnded = run.state === "success" || run.state === "failed";
      await restartRun(tx, run.id, hasEnded && request.resetRuns);
    }
    // A misspelt id must not look like a task that has nothing to clear.
    if (runCount > 0 && unknown.size > 0) {
      const names = [...unknown].map((taskId) => `"${taskId}"`).join(", ");
      throw new BaramError(
        "task_not_found",
        `No run of DAG "${request.dagId}" that was to be cleared has a task ${names}. Nothing was cleared. See "baram tasks list ${request.dagId}".`,
        { dagId: request.dagId, taskIds: [...unknown] },
      );
    }
    return touched;
  });
}

async function removeKnown(tx: Db, cache: DagCache, taskIds: Set<string>, versionIds: readonly (string | null)[]): Promise<void> {
  for (const versionId of versionIds) {
    if (versionId === null) continue;
    const { graph } = await cache.get(tx, versionId);
    for (const taskId of taskIds) if (graph.indexOf.has(taskId)) taskIds.delete(taskId);
  }
}

type Targets = { taskIds: readonly string[] | null; only: readonly NamedIndex[] };

/** A single instance adds all instances of other tasks, but of tasks in its own mapped group only its own index. */
async function targetsOf(
  tx: Db,
  cache: DagCache,
  versionId: string | null,
  { taskIds, only = [], directions }: Pick<ClearRequest, "taskIds" | "only" | "directions">,
): Promise<Targets> {
  if (taskIds === null || versionId === null) return { taskIds, only };
  const { graph } = await cache.get(tx, versionId);
  const related = tasksToClear(graph.dag, taskIds, directions);
  const single = new Set(only.map(({ taskId }) => taskId));
  const whole = new Set(
    tasksToClear(
      graph.dag,
      taskIds.filter((taskId) => !single.has(taskId)),
      directions,
    ),
  );
  const beside = only.flatMap(({ taskId, mapIndex }) => {
    const { groupId = null, together = [] } = graph.mapped.get(graph.indexOf.get(taskId) ?? -1) ?? {};
    const others = groupId === null ? [] : together.flatMap((index) => graph.tasks[index]?.taskId ?? []);
    const alongside = new Set(tasksToClear(graph.dag, [taskId], directions));
    return others.flatMap((id) => (alongside.has(id) && !single.has(id) && !whole.has(id) ? { taskId: id, mapIndex } : []));
  });
  return { taskIds: related, only: [...only, ...beside] };
}
