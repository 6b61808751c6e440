import type { SerializedDag } from "../contracts/index.ts";
import { downstreamOf } from "./graph.ts";

export type ClearDirections = { upstream: boolean; downstream: boolean };

type Clearable = { tasks: readonly Pick<SerializedDag["tasks"][number], "taskId" | "upstream" | "isSetup" | "isTeardown">[] };

/**
 * The tasks that clearing `taskIds` concerns, in the DAG's task order: themselves, with all their ancestors or
 * descendants where asked for, and, as in Airflow, the setups directly before a chosen task with the teardowns behind
 * those, since a task cleared alone would find its resource gone. Unknown ids are left out. Linear in tasks and edges.
 */
export function tasksToClear(dag: Clearable, taskIds: Iterable<string>, directions: ClearDirections): string[] {
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  const downstream = downstreamOf(dag);
  const upstreamOf = (taskId: string) => byId.get(taskId)?.upstream ?? [];
  const downstreamOfTask = (taskId: string) => downstream.get(taskId) ?? [];

  const roots = [...new Set(taskIds)].filter((taskId) => byId.has(taskId));
  const chosen = new Set(roots);
  if (directions.upstream) addReachable(chosen, roots, upstreamOf);
  if (directions.downstream) addReachable(chosen, roots, downstreamOfTask);
  const setups = new Set([...chosen].flatMap((taskId) => upstreamOf(taskId).filter((id) => byId.get(id)?.isSetup)));
  for (const setupId of setups) {
    chosen.add(setupId);
    for (const id of downstreamOfTask(setupId)) if (byId.get(id)?.isTeardown) chosen.add(id);
  }
  return dag.tasks.map((task) => task.taskId).filter((taskId) => chosen.has(taskId));
}

/** Walks from the roots, not from everything chosen: an ancestor's other descendants are not meant. */
function addReachable(chosen: Set<string>, roots: readonly string[], neighboursOf: (taskId: string) => readonly string[]): void {
  const reached = new Set(roots);
  for (const taskId of reached) {
    chosen.add(taskId);
    for (const next of neighboursOf(taskId)) reached.add(next);
  }
}
