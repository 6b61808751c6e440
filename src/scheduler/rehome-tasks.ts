import { toError } from "../platform/index.ts";
import { type HomelessTask, holdDispatchLock, homelessTasks, rehomeInstances } from "../store/index.ts";
import { findFaults, isOnesFault } from "./culprits.ts";
import type { SchedulerResources } from "./resources.ts";

export type ExecutorWatch = { check(): Promise<number> };

/**
 * What waits for an executor that is not configured any more. Task instances keep the executor they were made for, so a task
 * that names none goes on with the default of today; one that names it waits until it is there again, which is said once.
 */
export function createExecutorWatch(resources: SchedulerResources): ExecutorWatch {
  const { store, executors, logger } = resources;
  let said = "";
  return {
    async check() {
      const [home] = executors.keys();
      const homeless = await homelessTasks(store, [...executors.keys()]);
      if (homeless.length === 0 || home === undefined) {
        said = "";
        return 0;
      }
      const waiting: HomelessTask[] = [];
      const free: HomelessTask[] = [];
      for (const one of homeless) ((await namesItself(resources, one)) ? waiting : free).push(one);
      const moved = await rehome(resources, free, home);
      if (moved > 0)
        logger.info(
          { moved, from: namesIn(free), to: home },
          "tasks that name no executor, and waited for one that is not configured any more, go to the default",
        );
      const names = namesIn(waiting).join(", ");
      if (names !== said && names !== "")
        logger.warn(
          {
            executors: names,
            tasks: waiting.reduce((sum, { count }) => sum + count, 0),
            dags: [...new Set(waiting.map((one) => one.dagId))],
          },
          "tasks name executors that are not configured here and wait: name them in [core] executor again, or change the DAGs and clear the tasks",
        );
      said = names;
      return moved;
    },
  };
}

/** What cannot be moved goes on waiting, and a DAG warning says so. */
async function rehome({ store, logger }: SchedulerResources, free: readonly HomelessTask[], home: string): Promise<number> {
  if (free.length === 0) return 0;
  let moved = 0;
  const move = async (part: readonly HomelessTask[]) => {
    moved += await store.transaction(async (tx) => {
      await holdDispatchLock(tx);
      return rehomeInstances(tx, part, home);
    });
  };
  try {
    await move(free);
  } catch (error) {
    if (!isOnesFault(error)) throw error;
    for (const { item, error: cause } of await findFaults(free, move)) {
      const { dagId, taskId, executor } = item;
      logger.error({ dagId, taskId, executor, to: home, error: cause.message }, "a task cannot be given to the default executor");
    }
  }
  return moved;
}

/** Whether the task's DAG names its executor. One whose version cannot be read is left as it is. */
async function namesItself({ store, dags, logger }: SchedulerResources, one: HomelessTask): Promise<boolean> {
  try {
    const { graph } = await dags.get(store, one.versionId);
    const task = graph.tasks[graph.indexOf.get(one.taskId) ?? -1];
    return task?.executor !== null;
  } catch (error) {
    logger.debug({ dagId: one.dagId, versionId: one.versionId, error: toError(error).message }, "a DAG version cannot be read");
    return true;
  }
}

function namesIn(tasks: readonly HomelessTask[]): string[] {
  return [...new Set(tasks.map(({ executor }) => executor))].sort();
}
