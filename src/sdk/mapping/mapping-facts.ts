import type { DagDefinition } from "../dag/dag-definition.ts";
import type { Mapping } from "../graph/types.ts";
import { mappedResults } from "./mapping.ts";

/** Facts about the mappings of a DAG, by task. */
export type MappingFacts = {
  /** The mapping of the task or of the group around it; null = the task has one instance. */
  mappingOf(taskId: string): { readonly mapping: Mapping; readonly groupId: string | null } | null;
  /** Whether both tasks are in the same mapped group. Each instance then reads the other task's instance with its own index. */
  areTogether(left: string, right: string): boolean;
  /** Whether a task or group is mapped over the task's result. */
  isMappedOver(taskId: string): boolean;
};

const known = new WeakMap<DagDefinition, MappingFacts>();

// Cached per DAG: a warm runner runs thousands of tries of one DAG.
export function mappingFactsOf(dag: DagDefinition): MappingFacts {
  const facts = known.get(dag) ?? findFacts(dag);
  known.set(dag, facts);
  return facts;
}

function findFacts(dag: DagDefinition): MappingFacts {
  const { nodes, groups } = dag.facts;
  const mappedGroupOf = (groupId: string | null) => {
    for (let at = groupId; at !== null; at = groups.get(at)?.parentGroupId ?? null) if (groups.get(at)?.mapping) return at;
    return null;
  };
  const groupOf = new Map([...nodes.values()].map((node) => [node.taskId, mappedGroupOf(node.taskGroupId)]));
  const mappings = [...nodes.values(), ...groups.values()].flatMap(({ mapping }) => (mapping === null ? [] : [mapping]));
  const mappedOver = new Set(mappings.flatMap(mappedResults).map(({ taskId }) => taskId));
  return {
    mappingOf(taskId) {
      const own = nodes.get(taskId)?.mapping ?? null;
      if (own !== null) return { mapping: own, groupId: null };
      const groupId = groupOf.get(taskId) ?? null;
      const mapping = groupId === null ? null : (groups.get(groupId)?.mapping ?? null);
      return mapping === null ? null : { mapping, groupId };
    },
    areTogether: (left, right) => (groupOf.get(left) ?? null) !== null && groupOf.get(left) === groupOf.get(right),
    isMappedOver: (taskId) => mappedOver.has(taskId),
  };
}
