import type {
  Cluster,
  DescribeTasksCommandOutput,
  ECSClient,
  RunTaskCommandInput,
  RunTaskCommandOutput,
  TaskDefinition,
} from "@aws-sdk/client-ecs";
import { type AwsAccess, checkRegion, clientSettings } from "../aws/client-settings.ts";
import { createRenewableClient } from "../aws/renewable-client.ts";
import { clusterOf } from "./describe-tasks.ts";

/** The executor's requests to ECS; each throws the SDK's error. */
export type EcsApi = {
  runTask(input: RunTaskCommandInput): Promise<RunTaskCommandOutput>;
  /** Up to 100, all of this cluster. */
  describeTasks(cluster: string, arns: string[]): Promise<DescribeTasksCommandOutput>;
  /** In the cluster that its ARN names. */
  stopTask(arn: string, reason: string): Promise<void>;
  /**
   * ARNs of the tasks started under this name that should be running: AWS takes `startedBy` only alone, without `desiredStatus`, and
   * then lists none that have stopped.
   */
  findTasks(startedBy: string): Promise<string[]>;
  /** null: the cluster does not exist or is not active. */
  describeCluster(): Promise<Cluster | null>;
  describeTaskDefinition(name: string): Promise<TaskDefinition | null>;
  /** A client with newly read credentials. */
  renew(): Promise<void>;
  close(): void;
};

/** Throws `config_invalid` if no region is known. The SDK is loaded on first use: most processes never need it. */
export async function connectEcs(options: AwsAccess & { cluster: string }): Promise<EcsApi> {
  const sdk = await import("@aws-sdk/client-ecs");
  const { cluster } = options;
  const { use, renew, close } = await createRenewableClient(
    async (): Promise<ECSClient> => new sdk.ECSClient(await clientSettings(options)),
  );
  await use((ecs) => checkRegion(ecs, "ecs_executor"));
  return {
    runTask: (input) => use((ecs) => ecs.send(new sdk.RunTaskCommand(input))),
    describeTasks: (of, tasks) => use((ecs) => ecs.send(new sdk.DescribeTasksCommand({ cluster: of, tasks }))),
    async stopTask(task, reason) {
      await use((ecs) => ecs.send(new sdk.StopTaskCommand({ cluster: clusterOf(task) ?? cluster, task, reason })));
    },
    async findTasks(startedBy) {
      const arns: string[] = [];
      let nextToken: string | undefined;
      do {
        const command = new sdk.ListTasksCommand({ cluster, startedBy, ...(nextToken === undefined ? {} : { nextToken }) });
        const page = await use((ecs) => ecs.send(command));
        arns.push(...(page.taskArns ?? []));
        // A page may be empty and not the last.
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return arns;
    },
    async describeCluster() {
      const { clusters } = await use((ecs) => ecs.send(new sdk.DescribeClustersCommand({ clusters: [cluster] })));
      return clusters?.find(({ status }) => status === "ACTIVE") ?? null;
    },
    async describeTaskDefinition(taskDefinition) {
      const answer = await use((ecs) => ecs.send(new sdk.DescribeTaskDefinitionCommand({ taskDefinition })));
      return answer.taskDefinition ?? null;
    },
    renew,
    close,
  };
}
