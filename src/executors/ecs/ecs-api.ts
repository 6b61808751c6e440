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

/** The executor's requests to ECS; each throws the SDK's error. */
export type EcsApi = {
  runTask(input: RunTaskCommandInput): Promise<RunTaskCommandOutput>;
  describeTasks(arns: string[]): Promise<DescribeTasksCommandOutput>;
  stopTask(arn: string, reason: string): Promise<void>;
  /** ARNs of the tasks started under this name, including recently stopped ones. */
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
    async (earlier: ECSClient | null): Promise<ECSClient> =>
      new sdk.ECSClient(await clientSettings(options, { clockOffsetMs: earlier?.config.systemClockOffset })),
  );
  await use((ecs) => checkRegion(ecs, "ecs_executor"));
  return {
    runTask: (input) => use((ecs) => ecs.send(new sdk.RunTaskCommand(input))),
    describeTasks: (tasks) => use((ecs) => ecs.send(new sdk.DescribeTasksCommand({ cluster, tasks }))),
    async stopTask(task, reason) {
      await use((ecs) => ecs.send(new sdk.StopTaskCommand({ cluster, task, reason })));
    },
    async findTasks(startedBy) {
      const of = (desiredStatus: "RUNNING" | "STOPPED") =>
        use(async (ecs) => (await ecs.send(new sdk.ListTasksCommand({ cluster, startedBy, desiredStatus }))).taskArns ?? []);
      const running = await of("RUNNING");
      return running.length > 0 ? running : of("STOPPED");
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
