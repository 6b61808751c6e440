import type { SerializedDag } from "../contracts/index.ts";
import { downstreamOf } from "./graph.ts";

export type SetupGraph = {
  tasks: readonly Pick<SerializedDag["tasks"][number], "taskId" | "upstream" | "isSetup" | "isTeardown">[];
};

/**
 * For each task the setups it stands on, at any distance: those before it that have a teardown after it, or none at all.
 * Airflow's `get_upstreams_only_setups`. A task cleared alone needs them anew, and does not run before they succeeded.
 * Tasks without any are left out. Costs one walk over the graph for each setup.
 */
export function setupsOf(dag: SetupGraph): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const setups = dag.tasks.filter((task) => task.isSetup);
  if (setups.length === 0) return found;
  const downstream = downstreamOf(dag);
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  const before = (taskId: string) => byId.get(taskId)?.upstream ?? [];
  const after = (taskId: string) => downstream.get(taskId) ?? [];
  for (const { taskId: setup } of setups) {
    const teardowns = after(setup).filter((id) => byId.get(id)?.isTeardown);
    const held = teardowns.length === 0 ? null : reachFrom(teardowns, before);
    for (const taskId of reachFrom([setup], after)) {
      if (held && !held.has(taskId)) continue;
      const known = found.get(taskId);
      if (known) known.add(setup);
      else found.set(taskId, new Set([setup]));
    }
  }
  return found;
}

/** Everything that can be reached, the starts left out unless another one leads to them. */
export function reachFrom(starts: readonly string[], neighboursOf: (taskId: string) => readonly string[]): Set<string> {
  const reached = new Set(starts.flatMap(neighboursOf));
  for (const taskId of reached) for (const next of neighboursOf(taskId)) reached.add(next);
  return reached;
}
