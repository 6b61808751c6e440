import type { DagVersion } from "../scheduler/commands/index.ts";

/** The ids of a group's tasks, including those of nested groups. */
export function tasksOfGroup({ dag, tasks }: DagVersion["graph"], groupId: string): string[] {
  const parentOf = new Map(dag.taskGroups.map((group) => [group.groupId, group.parentGroupId]));
  const isInside = (start: string | null) => {
    for (let at: string | null = start; at !== null; at = parentOf.get(at) ?? null) if (at === groupId) return true;
    return false;
  };
  return tasks.filter((task) => isInside(task.taskGroupId)).map((task) => task.taskId);
}
