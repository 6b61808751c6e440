import type { SerializedDag } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";

/** The part of a DAG that the graph functions need. */
export type TaskGraph = { dagId?: string; tasks: readonly Pick<SerializedDag["tasks"][number], "taskId" | "upstream">[] };

/** Direct downstream task ids of every task, in the DAG's task order. Unknown upstreams are left out. */
export function downstreamOf(dag: TaskGraph): Map<string, string[]> {
  const downstream = new Map<string, string[]>(dag.tasks.map((task) => [task.taskId, []]));
  for (const task of dag.tasks) {
    for (const upstreamId of task.upstream) downstream.get(upstreamId)?.push(task.taskId);
  }
  return downstream;
}

/** Task ids, each after all its upstreams; otherwise in the DAG's task order. Throws `dag_cycle`. */
export function topologicalOrder(dag: TaskGraph): string[] {
  const { order, isComplete } = peel(dag);
  if (isComplete) return order;
  const cycle = findCycle(dag) ?? [];
  throw new BaramError("dag_cycle", `DAG "${dag.dagId ?? ""}" has a cycle: ${describeCycle(cycle)}`, { dagId: dag.dagId, cycle });
}

/**
 * One cycle as task ids, without repeating the first one at the end; null if there is none. Iterative, since a cycle may be as
 * long as the DAG.
 */
export function findCycle(dag: TaskGraph): string[] | null {
  const { order, isComplete } = peel(dag);
  if (isComplete) return null;
  const peeled = new Set(order);
  // Every task that `peel` left has an upstream that it left too, so walking upstream must reach a cycle.
  const upstream = new Map(dag.tasks.map((task) => [task.taskId, task.upstream]));
  const remains = (taskId: string) => upstream.has(taskId) && !peeled.has(taskId);
  const path: string[] = [];
  const position = new Map<string, number>();
  let current = dag.tasks.map((task) => task.taskId).find(remains);
  while (current !== undefined && !position.has(current)) {
    position.set(current, path.length);
    path.push(current);
    current = upstream.get(current)?.find(remains);
  }
  // The walk went against the edges; reversed, so that it reads from upstream to downstream.
  return current === undefined ? null : path.slice(position.get(current)).reverse();
}

const CYCLE_ENDS_SHOWN = 10;

/** `a → b → c → a`, with the middle of a long cycle left out. */
export function describeCycle(cycle: readonly string[]): string {
  const closed = [...cycle, ...cycle.slice(0, 1)];
  if (closed.length <= 2 * CYCLE_ENDS_SHOWN) return closed.join(" → ");
  const left = closed.length - 2 * CYCLE_ENDS_SHOWN;
  return [...closed.slice(0, CYCLE_ENDS_SHOWN), `… ${left} more …`, ...closed.slice(-CYCLE_ENDS_SHOWN)].join(" → ");
}

/** Kahn's algorithm. Incomplete if there is a cycle or a duplicate task id. */
function peel(dag: TaskGraph): { order: string[]; isComplete: boolean } {
  const downstream = downstreamOf(dag);
  const waiting = new Map(dag.tasks.map((task) => [task.taskId, countKnown(task.upstream, downstream)]));
  const order = dag.tasks.filter((task) => waiting.get(task.taskId) === 0).map((task) => task.taskId);
  for (const taskId of order) {
    for (const next of downstream.get(taskId) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return { order, isComplete: order.length >= waiting.size };
}

function countKnown(upstream: readonly string[], known: ReadonlyMap<string, unknown>): number {
  return upstream.reduce((count, taskId) => count + (known.has(taskId) ? 1 : 0), 0);
}
