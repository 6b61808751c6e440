import type { PastNeed } from "../store/index.ts";
import type { Graph } from "./core/graph.ts";

/** The tasks of a run that must wait for the previous run. */
export function pastNeeds(graph: Graph): PastNeed[] {
  return [...graph.needsPast].flatMap((index) => {
    const task = graph.tasks[index];
    if (!task) return [];
    const downstream = (graph.downstream[index] ?? []).map((child) => graph.tasks[child]?.taskId ?? "");
    return [
      { taskId: task.taskId, waitForDownstream: task.waitForDownstream, downstream, ignoreFirst: task.ignoreFirstDependsOnPast },
    ];
  });
}
