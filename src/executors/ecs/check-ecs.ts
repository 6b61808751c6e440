import { checkFailed, checkFound } from "../aws/check-failed.ts";
import type { EcsApi } from "./ecs-api.ts";

/** The id of a task that cannot exist. */
const NO_TASK = "0".repeat(32);

/** Checks everything that a launch needs, without changing anything. Throws `aws_check_failed` with the fault and the remedy. */
export async function checkEcs(
  api: EcsApi,
  options: { name: string; cluster: string; containerName: string; taskDefinition: string },
): Promise<void> {
  const { name, cluster, containerName, taskDefinition } = options;
  const ask = async <T>(asked: string, action: string, request: () => Promise<T>): Promise<T> => {
    try {
      return await request();
    } catch (error) {
      throw checkFailed({ executor: name, asked, action, page: "docs/executors/ecs.md" }, error);
    }
  };
  const ofCluster = `[ecs_executor] cluster "${cluster}"`;
  const found = await ask(ofCluster, "ecs:DescribeClusters", () => api.describeCluster());
  if (!found)
    throw checkFound(
      name,
      ofCluster,
      "there is no such active cluster in this account and region",
      "Create it, or correct cluster or region_name.",
    );
  await ask(`the tasks of cluster "${cluster}"`, "ecs:DescribeTasks", () => api.describeTasks([NO_TASK]));
  const ofDefinition = `[ecs_executor] task_definition "${taskDefinition}"`;
  const definition = await ask(ofDefinition, "ecs:DescribeTaskDefinition", () => api.describeTaskDefinition(taskDefinition));
  const containers = definition?.containerDefinitions?.map((one) => one.name) ?? [];
  if (!containers.includes(containerName))
    throw checkFound(
      name,
      ofDefinition,
      `it has no container "${containerName}"`,
      `Set [ecs_executor] container_name to one of ${containers.join(", ") || "its containers"}.`,
    );
}
