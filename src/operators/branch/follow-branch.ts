import type { TaskContext } from "../../sdk/index.ts";

/** Ids of the tasks or task groups that run; none = all are skipped. */
export type BranchChoice = string | readonly string[] | null;

/**
 * Skips the direct downstream tasks that are neither chosen nor downstream of a chosen task, as Airflow does.
 * @throws Error if the choice is not a task or group directly downstream.
 */
export function followBranch(ctx: TaskContext, choice: BranchChoice): void {
  const direct = ctx.task.downstream;
  const chosen = toIds(choice).flatMap((id) => expandChoice(ctx, id));
  const reachable = new Set<string>(chosen);
  const pending = [...chosen];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    for (const next of ctx.dag.task(id)?.downstream ?? []) {
      if (reachable.has(next)) continue;
      reachable.add(next);
      pending.push(next);
    }
  }
  const followed = direct.filter((taskId) => reachable.has(taskId));
  const skipped = direct.filter((taskId) => !reachable.has(taskId));
  ctx.logger.info(`continuing with ${followed.join(", ") || "no task"}`, { followed, skipped });
  ctx.skipTasks(skipped, followed);
}

function toIds(choice: unknown): string[] {
  const ids = choice === null || choice === undefined ? [] : [choice].flat();
  const wrong = ids.find((id) => typeof id !== "string");
  if (wrong !== undefined)
    throw new Error(`a branch must return task ids (a string, a list of strings, or null), not ${typeof wrong}`);
  return ids as string[];
}

function expandChoice(ctx: TaskContext, id: string): readonly string[] {
  const direct = ctx.task.downstream;
  const tasks = ctx.dag.task(id) === undefined ? ctx.dag.groupRoots(id) : [id];
  if (tasks === undefined || !tasks.every((taskId) => direct.includes(taskId))) {
    const fault = tasks === undefined ? "which the DAG does not have" : "which is not directly downstream";
    throw new Error(
      `branch ${ctx.task.taskId} chose "${id}", ${fault}; it can choose among ${direct.join(", ") || "no task at all"}`,
    );
  }
  return tasks;
}
