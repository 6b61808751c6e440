import { createGroupPath } from "../contracts/index.ts";
import type { DagVersion } from "../scheduler/commands/index.ts";

/** The ids of a group's tasks, including those of nested groups. */
export function tasksOfGroup({ dag, tasks }: DagVersion["graph"], groupId: string): string[] {
  const pathOf = createGroupPath(dag.taskGroups);
  return tasks.filter((task) => pathOf(task.taskGroupId).includes(groupId)).map((task) => task.taskId);
}
