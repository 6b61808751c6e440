import { downstreamOf } from "./graph.ts";
import { reachFrom, type SetupGraph, setupsOf } from "./setups.ts";

export type ClearDirections = { upstream: boolean; downstream: boolean };

/**
 * The tasks that clearing `taskIds` concerns, in the DAG's task order: themselves, with all their ancestors or
 * descendants where asked for, and, as in Airflow (`partial_subset`), the setups that they stand on with the teardowns of
 * those, since a task cleared alone would find its resource gone. Unknown ids are left out.
 */
export function tasksToClear(dag: SetupGraph, taskIds: Iterable<string>, directions: ClearDirections): string[] {
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  const downstream = downstreamOf(dag);
  const upstreamOf = (taskId: string) => byId.get(taskId)?.upstream ?? [];
  const downstreamOfTask = (taskId: string) => downstream.get(taskId) ?? [];
  const setups = setupsOf(dag);

  const roots = [...new Set(taskIds)].filter((taskId) => byId.has(taskId));
  const chosen = new Set(roots);
  const addTeardowns = (setupId: string) => {
    for (const id of downstreamOfTask(setupId)) if (byId.get(id)?.isTeardown) chosen.add(id);
  };
  const addSetups = (taskId: string) => {
    const task = byId.get(taskId);
    if (task?.isSetup || task?.isTeardown) return;
    for (const setupId of setups.get(taskId) ?? []) {
      chosen.add(setupId);
      addTeardowns(setupId);
    }
  };
  if (directions.downstream) {
    for (const taskId of reachFrom(roots, downstreamOfTask)) {
      chosen.add(taskId);
      addSetups(taskId);
    }
  }
  if (directions.upstream) {
    for (const taskId of reachFrom(roots, upstreamOf)) {
      chosen.add(taskId);
      if (byId.get(taskId)?.isSetup) addTeardowns(taskId);
    }
  } else for (const taskId of roots) addSetups(taskId);
  for (const taskId of roots) if (byId.get(taskId)?.isSetup && !directions.downstream) addTeardowns(taskId);
  return dag.tasks.map((task) => task.taskId).filter((taskId) => chosen.has(taskId));
}
