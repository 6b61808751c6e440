import type { SerializedDag, SerializedTask } from "../../contracts/index.ts";
import { setupsOf } from "../../serialized/index.ts";

/** A DAG version's tasks by number, so that evaluating a run walks arrays and not names. */
export type Graph = {
  readonly dag: SerializedDag;
  readonly tasks: readonly SerializedTask[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly upstream: readonly (readonly number[])[];
  readonly downstream: readonly (readonly number[])[];
  /**
   * Tasks whose end decides the run's state: the leaves, teardowns left out unless they ask to count. With failFast all that
   * count, since what follows a failure is skipped there.
   */
  readonly deciding: ReadonlySet<number>;
  /** By task, the setups that it stands on without being directly after them; empty for most DAGs. */
  readonly indirectSetups: ReadonlyMap<number, readonly number[]>;
  /** The same by setup. */
  readonly indirectWork: ReadonlyMap<number, readonly number[]>;
  /** Tasks that also wait for an earlier run. */
  readonly needsPast: ReadonlySet<number>;
};

export function buildGraph(dag: SerializedDag): Graph {
  const indexOf = new Map(dag.tasks.map((task, index) => [task.taskId, index]));
  const upstream = dag.tasks.map((task) => task.upstream.flatMap((id) => indexOf.get(id) ?? []));
  const downstream: number[][] = dag.tasks.map(() => []);
  upstream.forEach((parents, child) => {
    for (const parent of parents) downstream[parent]?.push(child);
  });
  const counts = (index: number) => {
    const task = dag.tasks[index];
    return task !== undefined && (!task.isTeardown || task.onFailureFailDagrun);
  };
  const deciding = dag.tasks
    .map((_, index) => index)
    .filter((index) => counts(index) && (dag.failFast || !downstream[index]?.some(counts)));
  const indirectSetups = findIndirectSetups(dag, indexOf);
  const indirectWork = new Map<number, number[]>();
  for (const [task, setups] of indirectSetups)
    for (const setup of setups) indirectWork.set(setup, [...(indirectWork.get(setup) ?? []), task]);
  const needsPast = dag.tasks.flatMap((task, index) => (task.dependsOnPast || task.waitForDownstream ? [index] : []));
  return {
    dag,
    tasks: dag.tasks,
    indexOf,
    upstream,
    downstream,
    deciding: new Set(deciding),
    indirectSetups,
    indirectWork,
    needsPast: new Set(needsPast),
  };
}

function findIndirectSetups(dag: SerializedDag, indexOf: ReadonlyMap<string, number>): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const setups = setupsOf(dag);
  dag.tasks.forEach((task, index) => {
    if (task.isTeardown) return;
    const indirect = [...(setups.get(task.taskId) ?? [])].filter((id) => !task.upstream.includes(id));
    if (indirect.length > 0)
      found.set(
        index,
        indirect.flatMap((id) => indexOf.get(id) ?? []),
      );
  });
  return found;
}
