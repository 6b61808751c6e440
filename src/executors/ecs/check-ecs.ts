import type { RunTaskCommandInput } from "@aws-sdk/client-ecs";
import type { JsonObject } from "../../contracts/index.ts";
import { BaramError, type Logger } from "../../platform/index.ts";
import { checkFailed, checkFound, isDenied } from "../aws/check-failed.ts";
import { faultOf } from "../aws/fault-of.ts";
import type { EcsApi } from "./ecs-api.ts";

/** The id of a task that cannot exist. */
const NO_TASK = "0".repeat(32);
const PAGE = "docs/executors/ecs.md";

export type CheckOptions = { name: string; cluster: string; containerName: string; taskDefinition: string };

/**
 * Checks what a launch needs, without changing anything. Throws `aws_check_failed` with the fault and the remedy. Four actions are
 * necessary: RunTask, DescribeTasks, StopTask and PassRole; without one that is only useful, it warns of what is lost. RunTask and
 * PassRole cannot be tried without launching a task: a launch that is refused says so in the try's log.
 */
export async function checkEcs(api: EcsApi, options: CheckOptions, logger: Logger): Promise<void> {
  const { name, cluster, containerName, taskDefinition } = options;
  const ofTasks = `the tasks of [ecs_executor] cluster "${cluster}"`;
  await api.describeTasks(cluster, [NO_TASK]).catch((error: unknown) => {
    if (faultOf(error).message.startsWith("ClusterNotFoundException")) throw noCluster(options, error);
    throw checkFailed({ executor: name, asked: ofTasks, action: "ecs:DescribeTasks", page: PAGE }, error);
  });
  await api.stopTask(NO_TASK, "Baram checks whether it may stop tasks").catch((error: unknown) => {
    // That there is no such task is the expected answer.
    if (isDenied(error)) throw checkFailed({ executor: name, asked: ofTasks, action: "ecs:StopTask", page: PAGE }, error);
  });
  const useful = async <T>(asked: string, action: string, lost: string, request: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await request();
    } catch (error) {
      if (!isDenied(error)) throw checkFailed({ executor: name, asked, action, page: PAGE }, error);
      logger.warn({ executor: name, action }, `${action} is not allowed to the scheduler's role: ${lost}`);
      return undefined;
    }
  };
  const ofCluster = `[ecs_executor] cluster "${cluster}"`;
  const found = await useful(
    ofCluster,
    "ecs:DescribeClusters",
    "whether the cluster is active, and what its default capacity providers are, is not known",
    () => api.describeCluster(),
  );
  if (found === null) throw noCluster(options);
  await useful(
    ofTasks,
    "ecs:ListTasks",
    "a running try whose ARN a dead scheduler did not store is watched by its heartbeats only, and cannot be stopped",
    () => api.findTasks(NO_TASK),
  );
  const ofDefinition = `[ecs_executor] task_definition "${taskDefinition}"`;
  const definition = await useful(
    ofDefinition,
    "ecs:DescribeTaskDefinition",
    "task_definition and container_name are not checked; a wrong one fails each try with AWS's message",
    () => api.describeTaskDefinition(taskDefinition),
  );
  if (definition === undefined) return;
  const containers = definition?.containerDefinitions?.map((one) => one.name) ?? [];
  if (!containers.includes(containerName))
    throw checkFound(
      name,
      ofDefinition,
      `it has no container "${containerName}"`,
      `Set [ecs_executor] container_name to one of ${containers.join(", ") || "its containers"}.`,
    );
}

function noCluster({ name, cluster }: CheckOptions, cause?: unknown): BaramError {
  return checkFound(
    name,
    `[ecs_executor] cluster "${cluster}"`,
    "there is no such active cluster in this account and region",
    "Create it, or correct cluster or region_name.",
    cause,
  );
}

/**
 * Throws `config_invalid` if tasks would run on Fargate without a network, which AWS refuses for each of them. `byDefault`: the
 * cluster's capacity providers, if the request names none.
 */
export function checkNetwork(runTaskKwargs: JsonObject, byDefault: readonly string[]): void {
  const { launchType, capacityProviderStrategy, networkConfiguration } = runTaskKwargs as Partial<RunTaskCommandInput>;
  const providers = capacityProviderStrategy?.map((one) => one.capacityProvider ?? "") ?? byDefault;
  const isFargate = launchType === undefined ? providers.some((one) => one.startsWith("FARGATE")) : launchType === "FARGATE";
  if (!isFargate || (networkConfiguration?.awsvpcConfiguration?.subnets ?? []).length > 0) return;
  throw new BaramError(
    "config_invalid",
    "[ecs_executor] subnets is not set, and ECS runs no task on Fargate without one. Set subnets, and security_groups if needed, in baram.toml, or in BARAM__ECS_EXECUTOR__SUBNETS. For instances of your own, set launch_type to EC2.",
    { option: "subnets" },
  );
}
