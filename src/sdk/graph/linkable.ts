import { DagDefinitionError, showValue } from "../definition-error.ts";
import { requireScope } from "./scope.ts";
import type { Endpoint } from "./types.ts";

/** An end of an edge: an operator, a task's result, a task group, or the full id of a task or group of this DAG. */
export type Link = Linkable | string;

/** A node of a DAG's graph, or a value derived from nodes. */
export abstract class Linkable {
  abstract readonly endpoint: Endpoint;

  /** The nodes at which an edge to or from this object ends: itself, or the results that it is derived from. */
  links(): readonly Linkable[] {
    return [this];
  }

  /** Throws: the object has no value while the DAG is defined, so using it as text or in a comparison is always a mistake. */
  toString(): string {
    throw notText(this.endpoint, "a text");
  }

  [Symbol.toPrimitive](): string {
    throw notText(this.endpoint, "a text or a comparison");
  }

  toJSON(): unknown {
    throw notText(this.endpoint, "JSON");
  }

  /** Makes this run before `next`; returns `next`, so that calls can be chained: `a.before(b).before(c)`. */
  before<T extends Link | readonly Link[]>(next: T): T {
    for (const link of toLinks("before()", next)) for (const own of this.links()) addEdge(own, link);
    return next;
  }

  /** Makes this run after `previous`; returns `previous`. */
  after<T extends Link | readonly Link[]>(previous: T): T {
    for (const link of toLinks("after()", previous)) for (const own of this.links()) addEdge(link, own);
    return previous;
  }
}

/** One link or a list of links, as a validated list. */
export function toLinks(where: string, given: Link | readonly Link[]): readonly Link[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  for (const link of list) {
    if (link instanceof Linkable || typeof link === "string") continue;
    const hint = typeof link === "function" ? ": a task function must be called to become a task, extract() not extract" : "";
    throw new DagDefinitionError("INVALID_CHAIN", `${where} takes tasks and task groups, not ${showValue(link)}${hint}`);
  }
  return (list as readonly Link[]).flatMap((link): readonly Link[] => (typeof link === "string" ? [link] : link.links()));
}

export function addEdge(from: Link, to: Link): void {
  const { draft } = requireScope("an edge between tasks");
  draft.edges.push({ from: toEndpoint(from), to: toEndpoint(to) });
}

function toEndpoint(link: Link): Endpoint {
  return typeof link === "string" ? { kind: "id", id: link } : link.endpoint;
}

function notText({ kind, id }: Endpoint, what: string): DagDefinitionError {
  const remedy =
    kind === "task"
      ? `pass the result as an argument of its own and use it inside the task, or write the template {{ ti.xcom_pull(task_ids='${id}') }} and link the tasks with before()`
      : "pass what its tasks return";
  return new DagDefinitionError(
    "RESULT_AS_TEXT",
    `${kind === "task" ? `task "${id}" or its result` : `task group "${id}"`} is converted to ${what} where the DAG is defined, but has no value until it has run: ${remedy}`,
    { id },
  );
}
