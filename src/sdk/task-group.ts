import type { DraftGroup, Endpoint } from "./dag-draft.ts";
import { Linkable } from "./linkable.ts";
import { innermostGroup, qualifyId, requireScope, runInGroup } from "./scope.ts";
import type { CommonTaskOptions } from "./task-options.ts";

export type TaskGroupOptions = {
  groupId: string;
  /** false = tasks inside keep their ids as written. Default true: "group.task". */
  prefixGroupId?: boolean;
  tooltip?: string;
  /** Laid over the DAG's defaultArgs for the tasks inside. */
  defaultArgs?: CommonTaskOptions;
};

/** Tasks drawn and linked as one: an edge to it reaches the tasks inside that come first, one from it leaves the last. */
export class TaskGroup<R = unknown> extends Linkable {
  override readonly endpoint: Endpoint & { kind: "group" };
  /** What the group's body returned, e.g. the XComArg of its last task. */
  readonly result: R;

  constructor(endpoint: Endpoint & { kind: "group" }, result: R) {
    super();
    this.endpoint = endpoint;
    this.result = result;
  }

  get groupId(): string {
    return this.endpoint.id;
  }
}

/** Opens a task group, runs `body` in it, and returns the group. Groups nest. */
export function taskGroup<R>(options: string | TaskGroupOptions, body: () => R): TaskGroup<R> {
  const {
    groupId: label,
    prefixGroupId = true,
    tooltip = "",
    defaultArgs = {},
  } = typeof options === "string" ? { groupId: options } : options;
  const scope = requireScope(`task group "${label}"`);
  const parent = innermostGroup(scope);
  const groupId = qualifyId(scope, "task group id", label);
  scope.draft.checkFree(groupId);
  const group: DraftGroup = {
    groupId,
    parentGroupId: parent?.groupId ?? null,
    label,
    tooltip,
    prefix: prefixGroupId ? `${groupId}.` : (parent?.prefix ?? ""),
    defaultArgs,
  };
  scope.draft.groups.set(groupId, group);
  const result = runInGroup(group, body);
  return new TaskGroup({ kind: "group", draft: scope.draft, id: groupId }, result);
}
