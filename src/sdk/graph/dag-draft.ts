import { DagDefinitionError } from "../definition-error.ts";
import type { CommonTaskOptions } from "../options/task-options.ts";
import type { DagDraft } from "./types.ts";

export function createDraft(dagId: string, timezone: string, defaultArgs: CommonTaskOptions): DagDraft {
  return { dagId, timezone, defaultArgs, nodes: new Map(), groups: new Map(), edges: [], teardownScopes: [], looseEnds: [] };
}

/** @throws DagDefinitionError TASK_DUPLICATE_ID */
export function checkFree({ dagId, nodes, groups }: DagDraft, id: string): void {
  if (!nodes.has(id) && !groups.has(id)) return;
  const holder = nodes.has(id) ? "a task" : "a task group";
  throw new DagDefinitionError(
    "TASK_DUPLICATE_ID",
    `DAG "${dagId}" has ${holder} with the id "${id}" already: ids of tasks and groups must differ`,
    { dagId, id },
  );
}
