import type { SerializedDag } from "../contracts/index.ts";
import { downstreamOf } from "./graph.ts";

export type SetupGraph = {
  tasks: readonly Pick<SerializedDag["tasks"][number], "taskId" | "upstream" | "isSetup" | "isTeardown">[];
};

/**
 * The setups that each task needs, at any distance: upstream setups with a teardown downstream of the task, or without any
 * teardown. Airflow's `get_upstreams_only_setups`. If the task is cleared alone, they run again, and it does not start before
 * they have succeeded. Tasks without setups are left out. Walks the graph once for each setup.
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

/** All nodes that can be reached; a start is included only if another start leads to it. */
export function reachFrom(starts: readonly string[], neighboursOf: (taskId: string) => readonly string[]): Set<string> {
  const reached = new Set(starts.flatMap(neighboursOf));
  for (const taskId of reached) for (const next of neighboursOf(taskId)) reached.add(next);
  return reached;
}
