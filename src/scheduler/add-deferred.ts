import { type Candidate, countDeferred, type Db } from "../store/index.ts";
import { readableGraph } from "./commands/dag-cache.ts";
import type { SchedulerResources } from "./resources.ts";

/**
 * The candidates with deferred instances counted as active in their task's limits, where the author asks for it
 * (`maxActiveTisIncludeDeferred`). Others cost no statement.
 */
export async function addDeferred(
  tx: Db,
  { dags }: Pick<SchedulerResources, "dags">,
  candidates: readonly Candidate[],
): Promise<readonly Candidate[]> {
  const counting = new Set<string>();
  for (const one of candidates) {
    if (one.maxActiveTisPerDag === null && one.maxActiveTisPerDagrun === null) continue;
    const graph = await readableGraph(dags, tx, one.versionId);
    if (graph?.tasks[graph.indexOf.get(one.taskId) ?? -1]?.maxActiveTisIncludeDeferred) counting.add(one.id);
  }
  if (counting.size === 0) return candidates;
  const counts = await countDeferred(
    tx,
    candidates.filter(({ id }) => counting.has(id)),
  );
  return candidates.map((one) => {
    if (!counting.has(one.id)) return one;
    const own = counts.filter(({ dagId, taskId }) => dagId === one.dagId && taskId === one.taskId);
    const sum = (some: typeof own) => some.reduce((total, { count }) => total + count, 0);
    return {
      ...one,
      activeOfTask: one.activeOfTask + sum(own),
      activeOfTaskInRun: one.activeOfTaskInRun + sum(own.filter(({ dagRunId }) => dagRunId === one.dagRunId)),
    };
  });
}
