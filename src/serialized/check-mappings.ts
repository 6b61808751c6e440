import {
  createGroupPath,
  mappingLength,
  mapSourceTasks,
  type SerializedDag,
  type SerializedMapping,
} from "../contracts/index.ts";
import type { DagProblem } from "./dag-problem.ts";

/** Maximum number of instances of one task that lists in the file may create. */
const MAX_INSTANCES_FROM_FILE = 100_000;

/** Problems of the mappings of tasks and groups: unknown tasks, nested mappings, too many elements. */
export function checkMappings(dag: SerializedDag): DagProblem[] {
  const groups = new Map(dag.taskGroups.map((group) => [group.groupId, group]));
  const tasks = new Set(dag.tasks.map((task) => task.taskId));
  const pathOf = createGroupPath(dag.taskGroups);
  const mappedAround = (groupId: string | null) => pathOf(groupId).find((id) => groups.get(id)?.mapping) ?? null;
  const check = (what: string, taskId: string | null, mapping: SerializedMapping | null, parent: string | null): DagProblem[] => {
    if (mapping === null) return [];
    const where = `DAG "${dag.dagId}": ${what}`;
    const found: DagProblem[] = [];
    for (const id of mapSourceTasks(mapping).filter((source) => !tasks.has(source))) {
      found.push({ code: "unknown_mapping", message: `${where} is mapped over "${id}", which is no task of this DAG`, taskId });
    }
    const around = mappedAround(parent);
    if (around !== null) {
      const message = `${where} is mapped inside the mapped task group "${around}", which is not possible`;
      found.push({ code: "nested_mapping", message, taskId });
    }
    const length = mappingLength(mapping, () => null);
    if (length !== null && length > MAX_INSTANCES_FROM_FILE) {
      const message = `${where} is mapped over ${length} elements, more than the ${MAX_INSTANCES_FROM_FILE} allowed`;
      found.push({ code: "mapping_too_long", message, taskId });
    }
    return found;
  };
  return [
    ...dag.tasks.flatMap((task) => check(`task "${task.taskId}"`, task.taskId, task.mapping, task.taskGroupId)),
    ...dag.taskGroups.flatMap((group) => check(`task group "${group.groupId}"`, null, group.mapping, group.parentGroupId)),
  ];
}
