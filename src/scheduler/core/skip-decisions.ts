import { isTerminal, type SkipDecisionRecord } from "../../contracts/index.ts";
import type { Graph } from "./graph.ts";
import type { Instance } from "./picture-state.ts";

/** The decision that a branch or short circuit pushed as its XCom. */
export type SkipDecisionFacts = { taskId: string; mapIndex: number; decision: SkipDecisionRecord };

/**
 * Airflow's `NotPreviouslySkippedDep`: an instance is skipped again when a task directly before it, which is done, decided against
 * it. A decision of a task that will itself run again does not apply; its end will write the new one. So only the current states
 * count, and `instances` is not stored.
 */
export function findNotTaken(
  graph: Graph,
  instances: readonly ReadonlyMap<number, Instance>[],
  decisions: readonly SkipDecisionFacts[],
): (instance: Instance) => boolean {
  const byTask = new Map<number, SkipDecisionFacts[]>();
  for (const fact of decisions) {
    const task = graph.indexOf.get(fact.taskId) ?? -1;
    const decided = instances[task]?.get(fact.mapIndex);
    if (decided && isTerminal(decided.state)) byTask.set(task, [...(byTask.get(task) ?? []), fact]);
  }
  return ({ task, mapIndex }) => {
    const taskId = graph.tasks[task]?.taskId ?? "";
    return (graph.upstream[task] ?? []).some((parent) =>
      (byTask.get(parent) ?? []).some(
        (fact) => (fact.mapIndex === -1 || fact.mapIndex === mapIndex) && isAgainst(fact.decision, taskId),
      ),
    );
  };
}

function isAgainst(decision: SkipDecisionRecord, taskId: string): boolean {
  return "followed" in decision ? !decision.followed.includes(taskId) : decision.skipped.includes(taskId);
}
