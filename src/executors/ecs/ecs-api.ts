import type {
  Cluster,
  DescribeTasksCommandOutput,
  ECSClient,
  RunTaskCommandInput,
  RunTaskCommandOutput,
  TaskDefinition,
} from "@aws-sdk/client-ecs";
import { checkRegion, clientSettings } from "../aws/client-settings.ts";

/** The requests to ECS that the executor makes; each throws what the SDK throws. */
export type EcsApi = {
  runTask(input: RunTaskCommandInput): Promise<RunTaskCommandOutput>;
  describeTasks(arns: string[]): Promise<DescribeTasksCommandOutput>;
  stopTask(arn: string, reason: string): Promise<void>;
  /** ARNs of the tasks that were started under this name, those stopped of late too. */
  findTasks(startedBy: string): Promise<string[]>;
  /** null: there is no such cluster, or it is not active. */
  describeCluster(): Promise<Cluster | null>;
  describeTaskDefinition(name: string): Promise<TaskDefinition | null>;
  /** A client with credentials read anew. */
  renew(): void;
  close(): void;
};

/** Throws `config_invalid` where no region is known. The SDK is loaded on first use: most processes never need it. */
export async function connectEcs(options: { region: string | null; cluster: string }): Promise<EcsApi> {
  const sdk = await import("@aws-sdk/client-ecs");
  const { cluster } = options;
  const open = (): ECSClient => new sdk.ECSClient(clientSettings(options.region));
  let client = open();
  await checkRegion(client, "ecs_executor");
  return {
    runTask: (input) => client.send(new sdk.RunTaskCommand(input)),
    describeTasks: (tasks) => client.send(new sdk.DescribeTasksCommand({ cluster, tasks })),
    async stopTask(task, reason) {
      await client.send(new sdk.StopTaskCommand({ cluster, task, reason }));
    },
    async findTasks(startedBy) {
      const of = async (desiredStatus: "RUNNING" | "STOPPED") =>
        (await client.send(new sdk.ListTasksCommand({ cluster, startedBy, desiredStatus }))).taskArns ?? [];
      const running = await of("RUNNING");
      return running.length > 0 ? running : of("STOPPED");
    },
    async describeCluster() {
      const { clusters } = await client.send(new sdk.DescribeClustersCommand({ clusters: [cluster] }));
      return clusters?.find(({ status }) => status === "ACTIVE") ?? null;
    },
    async describeTaskDefinition(taskDefinition) {
      return (await client.send(new sdk.DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition ?? null;
    },
    renew() {
      client.destroy();
      client = open();
    },
    close: () => client.destroy(),
  };
}
