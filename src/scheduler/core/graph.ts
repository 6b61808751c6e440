import {
  createGroupPath,
  mappingLength,
  mapSourceTasks,
  type SerializedDag,
  type SerializedMapping,
  type SerializedTask,
} from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { setupsOf } from "../../serialized/index.ts";

/** A task that is mapped, by itself or by its group: what it is mapped over, and the tasks whose results it needs. */
export type MappedTask = {
  readonly mapping: SerializedMapping;
  /** Of a mapped group, which all its tasks share; null for a task that is mapped by itself. */
  readonly groupId: string | null;
  readonly sources: readonly number[];
  /** The tasks that are expanded together with this one: those of its mapped group, or itself. */
  readonly together: readonly number[];
};

/** A DAG version's tasks by number, so that evaluating a run uses array indexes instead of names. */
export type Graph = {
  readonly dag: SerializedDag;
  readonly tasks: readonly SerializedTask[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly upstream: readonly (readonly number[])[];
  readonly downstream: readonly (readonly number[])[];
  /** By task, the length of the longest path to it. */
  readonly levels: readonly number[];
  /**
   * Tasks whose end decides the run's state: the leaves, teardowns left out unless they ask to count. With failFast all that
   * count, since what follows a failure is skipped there.
   */
  readonly deciding: ReadonlySet<number>;
  /** By task, the setups that it needs without being directly downstream of them; empty for most DAGs. */
  readonly indirectSetups: ReadonlyMap<number, readonly number[]>;
  /** The same by setup. */
  readonly indirectWork: ReadonlyMap<number, readonly number[]>;
  /** Tasks that also wait for an earlier run. */
  readonly needsPast: ReadonlySet<number>;
  /** By task; a task that is not in it has one instance, with map index -1. */
  readonly mapped: ReadonlyMap<number, MappedTask>;
  /** By task: the mapped tasks that cannot be expanded before it has ended. */
  readonly expandedAfter: ReadonlyMap<number, readonly number[]>;
  /** Per task, the downstream tasks in the same mapped group: an instance there waits for the instance of its own index only. */
  readonly besides: readonly ReadonlySet<number>[];
};

/**
 * Throws `dag_invalid` if a task's upstream is missing: the task would start too early. DAG files are checked before, but a stored
 * version may be damaged.
 */
export function buildGraph(dag: SerializedDag): Graph {
  const indexOf = new Map(dag.tasks.map((task, index) => [task.taskId, index]));
  const upstream = dag.tasks.map((task) =>
    task.upstream.map((id) => {
      const index = indexOf.get(id);
      if (index !== undefined) return index;
      const message = `Task "${task.taskId}" of DAG "${dag.dagId}" waits for "${id}", which this version lacks. Save the DAG's file again.`;
      throw new BaramError("dag_invalid", message, { dagId: dag.dagId, taskId: task.taskId, upstream: id });
    }),
  );
  const downstream: number[][] = dag.tasks.map(() => []);
  upstream.forEach((parents, child) => {
    for (const parent of parents) downstream[parent]?.push(child);
  });
  const counts = (index: number) => {
    const task = dag.tasks[index];
    return task !== undefined && (!task.isTeardown || task.onFailureFailDagrun);
  };
  const all = dag.tasks.map((_, index) => index);
  let deciding = all.filter((index) => counts(index) && (dag.failFast || !downstream[index]?.some(counts)));
  // Only teardowns: as in Airflow, the leaves decide, or the run would always succeed.
  if (deciding.length === 0) deciding = all.filter((index) => downstream[index]?.length === 0);
  const indirectSetups = findIndirectSetups(dag, indexOf);
  const indirectWork = new Map<number, number[]>();
  for (const [task, setups] of indirectSetups)
    for (const setup of setups) indirectWork.set(setup, [...(indirectWork.get(setup) ?? []), task]);
  const needsPast = dag.tasks.flatMap((task, index) => (task.dependsOnPast || task.waitForDownstream ? [index] : []));
  const mapped = findMapped(dag, indexOf);
  const expandedAfter = new Map<number, number[]>();
  for (const [task, { sources }] of mapped) {
    for (const source of sources) expandedAfter.set(source, [...(expandedAfter.get(source) ?? []), task]);
  }
  const groupOf = (index: number) => mapped.get(index)?.groupId ?? null;
  const besides = downstream.map((children, parent) => {
    const groupId = groupOf(parent);
    return groupId === null ? NONE : new Set(children.filter((child) => groupOf(child) === groupId));
  });
  return {
    dag,
    tasks: dag.tasks,
    indexOf,
    upstream,
    downstream,
    levels: levelsOf(upstream, downstream),
    deciding: new Set(deciding),
    indirectSetups,
    indirectWork,
    needsPast: new Set(needsPast),
    mapped,
    expandedAfter,
    besides,
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

const NONE: ReadonlySet<number> = new Set();

function findMapped(dag: SerializedDag, indexOf: ReadonlyMap<string, number>): Map<number, MappedTask> {
  const groups = new Map(dag.taskGroups.map((group) => [group.groupId, group]));
  const pathOf = createGroupPath(dag.taskGroups);
  const mappedGroupOf = (groupId: string | null) => pathOf(groupId).find((id) => groups.get(id)?.mapping) ?? null;
  const members = new Map<string, number[]>();
  const found = new Map<number, MappedTask>();
  for (const [index, task] of dag.tasks.entries()) {
    const groupId = task.mapping ? null : mappedGroupOf(task.taskGroupId);
    const mapping = task.mapping ?? (groupId === null ? null : (groups.get(groupId)?.mapping ?? null));
    if (!mapping) continue;
    let together = [index];
    if (groupId !== null) {
      together = members.get(groupId) ?? [];
      together.push(index);
      members.set(groupId, together);
    }
    const sources = mapSourceTasks(mapping).flatMap((taskId) => indexOf.get(taskId) ?? []);
    found.set(index, { mapping, groupId, sources, together });
  }
  return found;
}

/** Whether both tasks are in the same mapped group. */
export function areTogether(graph: Graph, left: number, right: number): boolean {
  const groupId = graph.mapped.get(left)?.groupId ?? null;
  return groupId !== null && groupId === graph.mapped.get(right)?.groupId;
}

/** How many instances a mapped task has from the start; null = that depends on results, or it is not mapped. */
export function lengthFromStart(graph: Graph, task: number): number | null {
  const mapped = graph.mapped.get(task);
  return mapped && mapped.sources.length === 0 ? mappingLength(mapped.mapping, () => null) : null;
}

/** Kahn's algorithm. Tasks on a cycle, which only a damaged version has, stay unordered: their run is found to be deadlocked. */
function levelsOf(upstream: readonly (readonly number[])[], downstream: readonly (readonly number[])[]): number[] {
  const levels = upstream.map(() => 0);
  const missing = upstream.map((parents) => parents.length);
  const ready = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  for (const index of ready)
    for (const child of downstream[index] ?? []) {
      levels[child] = Math.max(levels[child] ?? 0, (levels[index] ?? 0) + 1);
      missing[child] = (missing[child] ?? 0) - 1;
      if (missing[child] === 0) ready.push(child);
    }
  return levels;
}
