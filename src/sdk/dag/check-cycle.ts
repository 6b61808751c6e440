import { DagDefinitionError } from "../definition-error.ts";
import type { Upstreams } from "../graph/types.ts";

/**
 * Refuses a graph with a cycle. The error names the whole cycle in execution order. Iterative, since recursion over a chain of
 * 10,000 tasks would overflow the stack.
 * @throws DagDefinitionError DAG_CYCLE
 */
export function checkAcyclic(dagId: string, upstreams: Upstreams): void {
  const done = new Set<string>();
  for (const start of upstreams.keys()) {
    if (done.has(start)) continue;
    const path = [start];
    const onPath = new Set(path);
    const pending = [upstreamsOf(upstreams, start)];
    while (path.length > 0) {
      const next = pending.at(-1)?.next();
      if (next === undefined || next.done) {
        const finished = path.pop();
        pending.pop();
        if (finished !== undefined) {
          onPath.delete(finished);
          done.add(finished);
        }
      } else if (onPath.has(next.value)) {
        throw cycleError(dagId, path.slice(path.indexOf(next.value)));
      } else if (!done.has(next.value)) {
        path.push(next.value);
        onPath.add(next.value);
        pending.push(upstreamsOf(upstreams, next.value));
      }
    }
  }
}

function upstreamsOf(upstreams: Upstreams, taskId: string): Iterator<string, undefined> {
  return (upstreams.get(taskId) ?? new Set<string>()).values() as Iterator<string, undefined>;
}

// The search walked against the edges, so the path is reversed. It starts at the smallest id, so that the message is always the
// same.
function cycleError(dagId: string, against: string[]): DagDefinitionError {
  const along = against.reverse();
  const smallest = [...along].sort()[0] ?? "";
  const at = along.indexOf(smallest);
  const cycle = [...along.slice(at), ...along.slice(0, at), smallest];
  return new DagDefinitionError("DAG_CYCLE", `DAG "${dagId}" has a cycle: ${cycle.join(" -> ")}`, { dagId, cycle });
}
