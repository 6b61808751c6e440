import { type ClearDirections, downstreamOf } from "../../serialized/index.ts";
import {
  clearInstances,
  type Db,
  type MarkedState,
  type RunFacts,
  restartRun,
  type Store,
  setInstanceNotes,
  setStates,
  tryOut,
} from "../../store/index.ts";
import type { Touched } from "./clear-runs.ts";
import type { DagCache } from "./dag-cache.ts";
import { lockPickedRuns, type RunPick } from "./pick-runs.ts";
import { type Actor, clearedByMark, markedBy } from "./stop-reason.ts";

export type MarkRequest = {
  dagId: string;
  by: Actor;
  runs: RunPick;
  taskId: string;
  /** null = every map index of the task. */
  mapIndex: number | null;
  directions: ClearDirections;
  state: MarkedState;
  dryRun: boolean;
  note?: string | null;
};

/**
 * Sets task instances to a state by hand, all or nothing, and returns the ones concerned. As in Airflow, downstream tasks that
 * failed or could not run because of them are cleared, and their run goes on.
 */
export async function markInstances(store: Store, cache: DagCache, request: MarkRequest): Promise<Touched[]> {
  return store.transaction(async (tx) => {
    const touched: Touched[] = [];
    for (const run of await lockPickedRuns(tx, request.dagId, request.runs)) {
      touched.push(...(await markInRun(tx, cache, run, request)));
    }
    return touched;
  });
}

async function markInRun(tx: Db, cache: DagCache, run: RunFacts, request: MarkRequest): Promise<Touched[]> {
  const { graph } = await cache.get(tx, run.versionId ?? "");
  const related = relatedTasks(graph.dag, request.taskId, request.directions);
  const filter = { taskIds: [request.taskId], mapIndex: request.mapIndex };
  const why = markedBy(request.by, request.state);
  const mark = async (): Promise<Touched[]> => {
    const marked = await setStates(tx, run.id, request.state, { ...filter, states: null }, why);
    if (related.length > 0)
      marked.push(...(await setStates(tx, run.id, request.state, { taskIds: related, mapIndex: null, states: null }, why)));
    return marked.map(({ taskId, mapIndex }) => ({ dagRunId: run.id, taskId, mapIndex }));
  };
  if (request.dryRun) return tryOut(tx, mark);
  const changed = await mark();
  if (request.note !== undefined) await setInstanceNotes(tx, run.id, filter, request.note);
  if (changed.length === 0) return changed;
  const after = relatedTasks(graph.dag, request.taskId, { upstream: false, downstream: true });
  const stuck = after.filter((taskId) => !related.includes(taskId));
  const whyCleared = clearedByMark(request.by, request.taskId, request.state);
  const cleared = stuck.length === 0 ? [] : await clearInstances(tx, run.id, stuck, ["failed", "upstream_failed"], whyCleared);
  if (cleared.length > 0) await restartRun(tx, run.id, run.state === "success" || run.state === "failed");
  return changed;
}

/** The task's ancestors or descendants, itself left out. */
function relatedTasks(dag: Parameters<typeof downstreamOf>[0], taskId: string, directions: ClearDirections): string[] {
  const downstream = downstreamOf(dag);
  const upstream = new Map(dag.tasks.map((task) => [task.taskId, task.upstream]));
  const found = new Set<string>();
  for (const neighbours of [directions.upstream ? upstream : null, directions.downstream ? downstream : null]) {
    const walk = new Set([taskId]);
    if (neighbours) for (const at of walk) for (const next of neighbours.get(at) ?? []) walk.add(next);
    for (const one of walk) found.add(one);
  }
  found.delete(taskId);
  return [...found];
}
