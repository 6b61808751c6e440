/** Baram's workers on the rig's AWS. Each function returns the options of the schedulers that launch them. */
import { join } from "node:path";
import { findPackageRoot } from "../../../src/platform/index.ts";
import type { AwsRig } from "./aws-rig.ts";
import type { RigFunction } from "./lambda-functions.ts";

type Variables = Readonly<Record<string, string>>;

/** Containers are `baram worker run` processes on this machine, with these variables. */
export async function putBaramOnEcs(rig: AwsRig, variables: Variables = {}): Promise<Record<string, string>> {
  await rig.createCluster("main");
  await rig.registerTask("baram", {
    name: "baram",
    entryPoint: [process.execPath, join(findPackageRoot(), "dist", "cli", "main.js")],
    environment: Object.entries(variables).map(([name, value]) => ({ name, value })),
  });
  return {
    BARAM__ECS_EXECUTOR__CLUSTER: "main",
    BARAM__ECS_EXECUTOR__TASK_DEFINITION: "baram",
    BARAM__ECS_EXECUTOR__CONTAINER_NAME: "baram",
    BARAM__ECS_EXECUTOR__SUBNETS: "subnet-0a",
    BARAM__ECS_EXECUTOR__POLL_INTERVAL: "0.1",
  };
}

/** Functions are processes that have loaded the shipped handler. An event that fails is given up at once. */
export async function putBaramOnLambda(
  rig: AwsRig,
  given: Partial<Pick<RigFunction, "environment" | "timeoutMs">> = {},
): Promise<Record<string, string>> {
  const queueUrl = await rig.createQueue("results");
  const deadLetterQueueUrl = await rig.createQueue("dead");
  const handler = join(findPackageRoot(), "dist", "main", "lambda-handler.js");
  await rig.createFunction({ name: "baram", handler, deadLetterQueueUrl, retries: 0, ...given });
  return {
    BARAM__LAMBDA_EXECUTOR__FUNCTION_NAME: "baram",
    BARAM__LAMBDA_EXECUTOR__QUEUE_URL: queueUrl,
    BARAM__LAMBDA_EXECUTOR__DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
  };
}
