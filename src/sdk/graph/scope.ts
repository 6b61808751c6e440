import { DagDefinitionError } from "../definition-error.ts";
import { type CommonTaskOptions, mergeOptions } from "../options/task-options.ts";
import { checkId } from "../values/check-id.ts";
import type { DagDraft, DraftGroup } from "./types.ts";

/** The DAG whose body is running, and its open task groups, innermost last. */
type Scope = { readonly draft: DagDraft; readonly openGroups: DraftGroup[] };

// Ambient on purpose: an author's `new BashOperator(…)` names no DAG. Bodies are synchronous, so only one runs at a time.
let current: Scope | undefined;

export function runInDag(draft: DagDraft, body: () => unknown): unknown {
  if (current !== undefined) {
    throw new DagDefinitionError(
      "DAG_NESTED",
      `DAG "${draft.dagId}" is defined inside the body of DAG "${current.draft.dagId}": define it beside, and start it with TriggerDagRunOperator`,
    );
  }
  current = { draft, openGroups: [] };
  try {
    return body();
  } finally {
    current = undefined;
  }
}

export function runInGroup<R>(group: DraftGroup, body: () => R): R {
  const { openGroups } = requireScope(`task group "${group.groupId}"`);
  openGroups.push(group);
  try {
    return body();
  } finally {
    openGroups.pop();
  }
}

/** The DAG whose body is running, or undefined. */
export function currentDraft(): DagDraft | undefined {
  return current?.draft;
}

/** @throws DagDefinitionError TASK_OUTSIDE_DAG */
export function requireScope(what: string): Scope {
  if (current !== undefined) return current;
  throw new DagDefinitionError(
    "TASK_OUTSIDE_DAG",
    `${what} was created outside of a DAG: move it into the body of dag({ dagId: … }, () => { … })`,
  );
}

export function innermostGroup(scope: Scope): DraftGroup | undefined {
  return scope.openGroups.at(-1);
}

/** The id with the prefix of the open groups: "group.task". */
export function qualifyId(scope: Scope, what: string, id: string): string {
  checkId(what, id);
  const qualified = `${innermostGroup(scope)?.prefix ?? ""}${id}`;
  checkId(what, qualified);
  return qualified;
}

/** The DAG's defaultArgs, overridden by those of its open groups from the outermost to the innermost. */
export function scopeDefaults(scope: Scope): CommonTaskOptions {
  return mergeOptions(scope.draft.defaultArgs, ...scope.openGroups.map((group) => group.defaultArgs));
}
