import { downstreamOf } from "./graph.ts";
import { reachFrom, type SetupGraph, setupsOf } from "./setups.ts";

export type ClearDirections = { upstream: boolean; downstream: boolean };

/**
 * The tasks that are cleared with `taskIds`, in the DAG's task order: the tasks themselves, all their ancestors or descendants if
 * requested and, as in Airflow (`partial_subset`), the setups that they need with the teardowns of these, since a task that is
 * cleared alone would not find its resource. Unknown ids are ignored.
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
