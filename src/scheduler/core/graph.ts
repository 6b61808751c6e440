import type { SerializedDag, SerializedTask } from "../../contracts/index.ts";

/** A DAG version's tasks by number, so that evaluating a run walks arrays and not names. */
export type Graph = {
  readonly dag: SerializedDag;
  readonly tasks: readonly SerializedTask[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly upstream: readonly (readonly number[])[];
  readonly downstream: readonly (readonly number[])[];
  /** Tasks whose end decides the run's state: the leaves, teardowns left out unless they ask to count. */
  readonly deciding: ReadonlySet<number>;
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
  const deciding = dag.tasks.map((_, index) => index).filter((index) => counts(index) && !downstream[index]?.some(counts));
  const needsPast = dag.tasks.flatMap((task, index) => (task.dependsOnPast || task.waitForDownstream ? [index] : []));
  return { dag, tasks: dag.tasks, indexOf, upstream, downstream, deciding: new Set(deciding), needsPast: new Set(needsPast) };
}
