import type { SerializedTask } from "../../../contracts/index.ts";
import { downstreamOf } from "../../../serialized/index.ts";

type Tree = { tasks: readonly Pick<SerializedTask, "taskId" | "upstream" | "operator">[] };

/**
 * Draws tasks indented below their upstream tasks. A task with several upstreams is drawn completely under the first one only,
 * and marked `(…)` under the others: otherwise a few dozen consecutive diamonds would give millions of lines.
 */
export function drawTree(dag: Tree): string {
  const downstream = downstreamOf(dag);
  const operators = new Map(dag.tasks.map((task) => [task.taskId, task.operator]));
  const drawn = new Set<string>();
  const lines: string[] = [];
  // An explicit stack: a chain may be longer than the call stack.
  const open = dag.tasks
    .filter((task) => task.upstream.length === 0)
    .map((task) => ({ taskId: task.taskId, depth: 0 }))
    .reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { taskId, depth } = next;
    const below = downstream.get(taskId) ?? [];
    const isRepeated = drawn.has(taskId) && below.length > 0;
    lines.push(`${"    ".repeat(depth)}${taskId} (${operators.get(taskId) ?? ""})${isRepeated ? " (…)" : ""}`);
    if (!isRepeated) open.push(...below.map((id) => ({ taskId: id, depth: depth + 1 })).reverse());
    drawn.add(taskId);
  }
  return lines.join("\n");
}
