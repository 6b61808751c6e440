import { isPlainObject } from "../args/walk-value.ts";
import { MapElement, type XComArg } from "../args/xcom-arg.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import { checkSynchronous } from "../graph/check-synchronous.ts";
import { checkFree } from "../graph/dag-draft.ts";
import { addEdge, Linkable } from "../graph/linkable.ts";
import { addLooseEnd } from "../graph/loose-ends.ts";
import { innermostGroup, qualifyId, requireScope, runInGroup } from "../graph/scope.ts";
import type { DraftGroup, Endpoint, MapInput, Mapping } from "../graph/types.ts";
import { checkMapping, mappedResults, resultsInElements } from "../mapping/mapping.ts";
import type { MapArg } from "../mapping/mapping-types.ts";
import { checkOptionNames, placeOf } from "../options/check-option-names.ts";
import { checkDefaultArgs } from "../options/option-names.ts";
import type { CommonTaskOptions } from "../options/task-options.ts";

export type TaskGroupOptions = {
  groupId: string;
  /** false = the tasks inside keep their ids unchanged. Default true: "group.task". */
  prefixGroupId?: boolean;
  tooltip?: string;
  /** Override the DAG's defaultArgs for the tasks inside. */
  defaultArgs?: CommonTaskOptions;
};

/**
 * Tasks that are shown and linked as one: an edge to the group leads to its first tasks, an edge from it starts at its last
 * tasks.
 */
export class TaskGroup<R = unknown> extends Linkable {
  override readonly endpoint: Endpoint & { kind: "group" };
  /** The result of the group's body, e.g. the XComArg of its last task. */
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

/** The result of a mapped group's body as seen from outside the group: for each XComArg, the list of its instances' results. */
export type Collected<R> =
  R extends XComArg<infer V> ? XComArg<V[]> : R extends Linkable ? R : R extends object ? { [K in keyof R]: Collected<R[K]> } : R;

/** A group that is mapped over lists: its body gets one element of each list, as an XComArg that can be passed to its tasks. */
export type TaskGroupFactory<A extends readonly unknown[], R> = {
  expand(...inputs: { [K in keyof A]: MapArg<A[K]> }): TaskGroup<Collected<R>>;
};

/**
 * Opens a task group, runs `body` in it, and returns the group. Groups can be nested.
 *
 * A body with parameters defines a mapped group: `expand` takes a list for each parameter; several lists give a cross product.
 * Its tasks have one instance for each element, and wait for the instances with their own index in the group.
 *
 *     taskGroup("per_file", (path: XComArg<string>) => load(clean(path))).expand(listFiles());
 */
export function taskGroup<R>(options: string | TaskGroupOptions, body: () => R): TaskGroup<R>;
export function taskGroup<A extends readonly unknown[], R>(
  options: string | TaskGroupOptions,
  body: (...elements: { [K in keyof A]: XComArg<A[K]> }) => R,
): TaskGroupFactory<A, R>;
export function taskGroup(
  options: string | TaskGroupOptions,
  body: (...elements: XComArg<unknown>[]) => unknown,
): TaskGroup | TaskGroupFactory<unknown[], unknown> {
  checkGroup(options, body);
  if (body.length === 0) return openGroup(options, null, body);
  const label = typeof options === "string" ? options : options.groupId;
  const factory = {
    expand: (...values: unknown[]) => {
      looseEnd.madeAt = null;
      return expandGroup(options, values as MapInput[], body);
    },
  };
  const message = `task group "${label}" is never expanded, so it is in no DAG: its body has parameters, so call expand() with a list for each`;
  const looseEnd = addLooseEnd(factory, message, taskGroup);
  return factory;
}

const NAMES: Record<keyof TaskGroupOptions, true> = { groupId: true, prefixGroupId: true, tooltip: true, defaultArgs: true };

function checkGroup(options: string | TaskGroupOptions, body: unknown): void {
  const where = placeOf("taskGroup()", "task group", typeof options === "string" ? options : options?.groupId);
  if (typeof options !== "string") {
    checkOptionNames(where, options, { names: Object.keys(NAMES) });
    checkDefaultArgs(where, options.defaultArgs);
  }
  if (typeof body === "function") return;
  const hint =
    typeof options === "string" && isPlainObject(body)
      ? `; its options go with its id: taskGroup({ groupId: "${options}", … }, () => { … })`
      : "";
  throw new DagDefinitionError(
    "TASK_INVALID_OPTION",
    `${where}: its second argument must be a function, not ${showValue(body)}${hint}`,
  );
}

function expandGroup(
  options: string | TaskGroupOptions,
  values: readonly MapInput[],
  body: (...elements: XComArg<unknown>[]) => unknown,
): TaskGroup {
  const label = typeof options === "string" ? options : options.groupId;
  const inputs = values.map((value, at) => ({ name: `element ${at + 1}`, value }));
  const mapping: Mapping = { kind: "expand", inputs };
  checkMapping(`task group "${label}"`, mapping, requireScope(`task group "${label}"`).openGroups);
  const group = openGroup(options, mapping, body);
  for (const result of [...mappedResults(mapping), ...resultsInElements(mapping)]) addEdge(result, group);
  return group;
}

function openGroup(
  options: string | TaskGroupOptions,
  mapping: Mapping | null,
  body: (...elements: XComArg<unknown>[]) => unknown,
): TaskGroup {
  const {
    groupId: label,
    prefixGroupId = true,
    tooltip = "",
    defaultArgs = {},
  } = typeof options === "string" ? { groupId: options } : options;
  const scope = requireScope(`task group "${label}"`);
  const parent = innermostGroup(scope);
  const groupId = qualifyId(scope, "task group id", label);
  checkFree(scope.draft, groupId);
  const group: DraftGroup = {
    groupId,
    parentGroupId: parent?.groupId ?? null,
    label,
    tooltip,
    prefix: prefixGroupId ? `${groupId}.` : (parent?.prefix ?? ""),
    defaultArgs,
    mapping,
  };
  scope.draft.groups.set(groupId, group);
  const elements = (mapping?.inputs ?? []).map(
    ({ value: input }, position) =>
      new MapElement({ kind: "task", draft: scope.draft, id: groupId }, { groupId, position, input }),
  );
  const result = runInGroup(group, () => body(...elements));
  checkSynchronous(`task group "${groupId}"`, result);
  return new TaskGroup({ kind: "group", draft: scope.draft, id: groupId }, result);
}
