import { collectXComArgs } from "../args/walk-value.ts";
import { MapElement } from "../args/xcom-arg.ts";
import { DagDefinitionError } from "../definition-error.ts";
import type { DagDraft, Endpoint, TeardownScope, Upstreams } from "../graph/types.ts";
import { mappedResults, resultsInElements } from "../mapping/mapping.ts";
import { checkUntemplatedFields } from "../task/operator.ts";

type TaskEnd = { kind: "task"; id: string };
type GroupEnd = { kind: "group"; id: string };
type End = TaskEnd | GroupEnd;

/**
 * All edges between the tasks of a draft: data edges from XComArgs, then explicit edges. An edge of a group is expanded to the
 * group's first or last tasks.
 * @throws DagDefinitionError TASK_OF_ANOTHER_DAG, TASK_UNKNOWN_UPSTREAM, TASK_UPSTREAM_OF_ITSELF, INVALID_CHAIN
 */
export function resolveEdges(draft: DagDraft): Upstreams {
  const upstreams = new Map<string, Set<string>>([...draft.nodes.keys()].map((taskId) => [taskId, new Set()]));
  const connect = (from: string, to: string) => {
    if (from === to) {
      throw new DagDefinitionError("TASK_UPSTREAM_OF_ITSELF", `DAG "${draft.dagId}": task "${to}" is upstream of itself`, {
        taskId: to,
      });
    }
    upstreams.get(to)?.add(from);
  };
  for (const node of draft.nodes.values()) {
    checkUntemplatedFields(node);
    checkElements(draft, node);
    const args = templatedXComArgs(node).flatMap((arg) => [...arg.references()]);
    if (node.mapping !== null) args.push(...mappedResults(node.mapping), ...resultsInElements(node.mapping));
    for (const arg of args) connect(resolveEnd(draft, arg.endpoint, node.taskId).id, node.taskId);
  }
  const edges = draft.edges.map((edge) => {
    const from = resolveEnd(draft, edge.from, nameOf(edge.to));
    const to = resolveEnd(draft, edge.to, nameOf(edge.from));
    const join = () => {
      const sources = from.kind === "task" ? [from.id] : lastOfGroup(draft, upstreams, from.id);
      const targets = to.kind === "task" ? [to.id] : firstOfGroup(draft, upstreams, to.id);
      for (const source of sources) for (const target of targets) connect(source, target);
    };
    const depth = commonDepth(draft, from, to);
    return { depth: from.kind === "task" && to.kind === "task" ? Number.POSITIVE_INFINITY : depth, join };
  });
  const scopes = draft.teardownScopes.map((scope) => ({
    depth: groupPath(draft, scope.groupId).length,
    join: () => joinScope(draft, upstreams, scope, connect),
  }));
  // Edges between tasks first, then the deepest ones: an edge inside a group decides which of its tasks are first, and so where
  // an edge to the group ends. A teardown's scope is joined after the edges of the same depth, which decide its first and last
  // tasks.
  for (const { join } of [...edges, ...scopes].sort((left, right) => right.depth - left.depth)) join();
  return upstreams;
}

function joinScope(
  draft: DagDraft,
  upstreams: Upstreams,
  { teardownId, members }: TeardownScope,
  connect: (from: string, to: string) => void,
): void {
  const setups = [...(upstreams.get(teardownId) ?? [])].filter((id) => draft.nodes.get(id)?.settings.isSetup);
  if (setups.length === 0) {
    throw new DagDefinitionError(
      "SETUP_TEARDOWN_INVALID",
      `DAG "${draft.dagId}": around() of teardown "${teardownId}" has no setup: name it in asTeardown({ setups: … })`,
      { taskId: teardownId },
    );
  }
  const inside = new Set(members);
  const first = members.filter((taskId) => ![...(upstreams.get(taskId) ?? [])].some((id) => inside.has(id)));
  const notLast = new Set(members.flatMap((taskId) => [...(upstreams.get(taskId) ?? [])]));
  for (const taskId of first) for (const setup of setups) connect(setup, taskId);
  for (const taskId of members) if (!notLast.has(taskId)) connect(taskId, teardownId);
}

/** The XComArgs in a task's template fields. */
export function templatedXComArgs(node: { options: object; templateFields: readonly string[] }) {
  const options = node.options as Record<string, unknown>;
  return node.templateFields.flatMap((field) => collectXComArgs(options[field]));
}

/** An element of a mapped group has no value outside of the group. */
function checkElements(
  draft: DagDraft,
  node: { taskId: string; taskGroupId: string | null; options: object; templateFields: readonly string[] },
): void {
  for (const arg of templatedXComArgs(node)) {
    if (!(arg instanceof MapElement) || groupPath(draft, node.taskGroupId).includes(arg.groupId)) continue;
    throw new DagDefinitionError(
      "MAPPING_INVALID",
      `DAG "${draft.dagId}": task "${node.taskId}" is given an element of the mapped group "${arg.groupId}", but is not in it: move it there, or pass it the list itself`,
      { taskId: node.taskId, groupId: arg.groupId },
    );
  }
}

/** The tasks inside a group, at any depth, without an upstream inside it. */
export function firstOfGroup(draft: DagDraft, upstreams: Upstreams, groupId: string): string[] {
  const members = membersOf(draft, groupId);
  return [...members].filter((taskId) => ![...(upstreams.get(taskId) ?? [])].some((id) => members.has(id)));
}

// As in Airflow, tasks after a group do not wait for its teardowns, nor for a setup that only teardowns follow.
function lastOfGroup(draft: DagDraft, upstreams: Upstreams, groupId: string): string[] {
  const members = [...membersOf(draft, groupId)];
  const isBefore = (taskId: string, others: readonly string[]) => others.some((other) => upstreams.get(other)?.has(taskId));
  const works = members.filter((taskId) => !draft.nodes.get(taskId)?.settings.isTeardown);
  const last = works.filter((taskId) => !isBefore(taskId, works));
  const needed = last.filter((taskId) => !draft.nodes.get(taskId)?.settings.isSetup || !isBefore(taskId, members));
  return needed.length > 0 ? needed : last;
}

function membersOf(draft: DagDraft, groupId: string): Set<string> {
  const inside = [...draft.nodes.values()].filter((node) => groupPath(draft, node.taskGroupId).includes(groupId));
  if (inside.length === 0) {
    throw new DagDefinitionError("INVALID_CHAIN", `DAG "${draft.dagId}": task group "${groupId}" is linked, but has no tasks`, {
      groupId,
    });
  }
  return new Set(inside.map((node) => node.taskId));
}

function resolveEnd(draft: DagDraft, endpoint: Endpoint, otherEnd: string): End {
  const { id } = endpoint;
  if (endpoint.kind !== "id") {
    if (endpoint.draft === draft) return { kind: endpoint.kind, id };
    throw new DagDefinitionError(
      "TASK_OF_ANOTHER_DAG",
      `DAG "${draft.dagId}": "${otherEnd}" is linked with "${id}" of DAG "${endpoint.draft.dagId}": tasks can depend only on tasks of the same DAG; wait for another DAG with ExternalTaskSensor`,
      { dagId: draft.dagId, id },
    );
  }
  if (draft.nodes.has(id)) return { kind: "task", id };
  if (draft.groups.has(id)) return { kind: "group", id };
  const known = [...draft.nodes.keys(), ...draft.groups.keys()].sort();
  throw new DagDefinitionError(
    "TASK_UNKNOWN_UPSTREAM",
    `DAG "${draft.dagId}": "${otherEnd}" is linked with "${id}", but the DAG has no task or group of that id; it has ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", …" : ""}`,
    { dagId: draft.dagId, id },
  );
}

function nameOf(endpoint: Endpoint): string {
  return endpoint.id;
}

/** Number of groups that contain both ends; for an end that is a group, its parents count. */
function commonDepth(draft: DagDraft, from: End, to: End): number {
  const left = pathOfEnd(draft, from);
  const right = pathOfEnd(draft, to);
  const shared = left.findIndex((groupId, index) => groupId !== right[index]);
  const depth = shared === -1 ? Math.min(left.length, right.length) : shared;
  for (const [inner, group] of [
    [from, to],
    [to, from],
  ] as const) {
    if (group.kind === "group" && (pathOfEnd(draft, inner).includes(group.id) || inner.id === group.id)) {
      throw new DagDefinitionError(
        "TASK_UPSTREAM_OF_ITSELF",
        `DAG "${draft.dagId}": "${inner.id}" is linked with the task group "${group.id}" that holds it`,
        { taskId: inner.id, groupId: group.id },
      );
    }
  }
  return depth;
}

function pathOfEnd(draft: DagDraft, end: End): string[] {
  const parent = end.kind === "task" ? draft.nodes.get(end.id)?.taskGroupId : draft.groups.get(end.id)?.parentGroupId;
  return groupPath(draft, parent ?? null);
}

/** Ids of the surrounding groups, outermost first. */
function groupPath(draft: DagDraft, groupId: string | null): string[] {
  const path: string[] = [];
  for (let id: string | null = groupId; id !== null; id = draft.groups.get(id)?.parentGroupId ?? null) path.unshift(id);
  return path;
}
