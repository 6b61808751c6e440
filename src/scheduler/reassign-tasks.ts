import { toError } from "../platform/index.ts";
import { findUnassignedTasks, holdDispatchLock, reassignInstances, type UnassignedTask } from "../store/index.ts";
import { findFaults, isOnesFault } from "./culprits.ts";
import type { SchedulerResources } from "./resources.ts";

export type ExecutorWatch = { check(): Promise<number> };

/**
 * Looks after scheduled tasks whose executor is not configured any more. Task instances keep the executor they were created with. A task
 * that names no executor is reassigned to today's default. One that names it waits until it is configured again; a warning says so once.
 */
export function createExecutorWatch(resources: SchedulerResources): ExecutorWatch {
  const { store, executors, logger } = resources;
  let said = "";
  return {
    async check() {
      const [defaultExecutor] = executors.keys();
      const unassigned = await findUnassignedTasks(store, [...executors.keys()]);
      if (unassigned.length === 0 || defaultExecutor === undefined) {
        said = "";
        return 0;
      }
      const waiting: UnassignedTask[] = [];
      const free: UnassignedTask[] = [];
      for (const one of unassigned) ((await namesItself(resources, one)) ? waiting : free).push(one);
      const moved = await reassign(resources, free, defaultExecutor);
      if (moved > 0)
        logger.info(
          { moved, from: namesIn(free), to: defaultExecutor },
          "reassigned tasks that name no executor from one that is not configured any more to the default",
        );
      const names = namesIn(waiting).join(", ");
      if (names !== said && names !== "")
        logger.warn(
          {
            executors: names,
            tasks: waiting.reduce((sum, { count }) => sum + count, 0),
            dags: [...new Set(waiting.map((one) => one.dagId))],
          },
          "tasks wait for executors that are not configured here: name these in [core] executor again, or change the DAGs and clear the tasks",
        );
      said = names;
      return moved;
    },
  };
}

/** A task that cannot be reassigned goes on waiting; a DAG warning shows it. */
async function reassign(
  { store, logger }: SchedulerResources,
  free: readonly UnassignedTask[],
  defaultExecutor: string,
): Promise<number> {
  if (free.length === 0) return 0;
  let moved = 0;
  const move = async (part: readonly UnassignedTask[]) => {
    moved += await store.transaction(async (tx) => {
      await holdDispatchLock(tx);
      return reassignInstances(tx, part, defaultExecutor);
    });
  };
  try {
    await move(free);
  } catch (error) {
    if (!isOnesFault(error)) throw error;
    for (const { item, error: cause } of await findFaults(free, move)) {
      const { dagId, taskId, executor } = item;
      logger.error(
        { dagId, taskId, executor, to: defaultExecutor, error: cause.message },
        "a task cannot be reassigned to the default executor",
      );
    }
  }
  return moved;
}

/** Whether the task's DAG names its executor. One whose version cannot be read is left as it is. */
async function namesItself({ store, dags, logger }: SchedulerResources, one: UnassignedTask): Promise<boolean> {
  try {
    const { graph } = await dags.get(store, one.versionId);
    const task = graph.tasks[graph.indexOf.get(one.taskId) ?? -1];
    return task?.executor !== null;
  } catch (error) {
    logger.debug({ dagId: one.dagId, versionId: one.versionId, error: toError(error).message }, "a DAG version cannot be read");
    return true;
  }
}

function namesIn(tasks: readonly UnassignedTask[]): string[] {
  return [...new Set(tasks.map(({ executor }) => executor))].sort();
}
