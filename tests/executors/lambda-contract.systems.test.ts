import { join } from "node:path";
import { findPackageRoot } from "../../src/platform/index.ts";
import { startAwsRig } from "../support/aws/aws-rig.ts";
import { describeExecutor } from "./contract.ts";
import { GRACE_SEC } from "./rig.ts";

/** Functions are processes that have loaded the shipped handler; the rig's Lambda invokes and repeats them. */
describeExecutor("LambdaExecutor", async () => {
  const rig = await startAwsRig();
  const queueUrl = await rig.createQueue("results");
  const deadLetterQueueUrl = await rig.createQueue("dead");
  await rig.createFunction({
    name: "baram",
    handler: join(findPackageRoot(), "dist", "main", "lambda-handler.js"),
    deadLetterQueueUrl,
    retries: 0,
    // Matches the settings of the suite's schedulers.
    environment: {
      BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: String(GRACE_SEC),
    },
  });
  return {
    facts: {
      name: "LambdaExecutor",
      running: "goes on outside",
      keepsQueued: true,
      revokeStops: false,
      externalId: /^[0-9a-f-]{36}$/,
      lossReason: /Lambda gave the invocation up: Runtime exited with error: SIGKILL/,
    },
    environment: {
      BARAM__CORE__EXECUTOR: "LambdaExecutor",
      BARAM__LAMBDA_EXECUTOR__FUNCTION_NAME: "baram",
      BARAM__LAMBDA_EXECUTOR__QUEUE_URL: queueUrl,
      BARAM__LAMBDA_EXECUTOR__DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
    },
    delayStarts: (ms) => {
      rig.lambda.startDelayMs = ms;
    },
    loseNextResult: () => rig.faults.next("SendMessage", { kind: "lose" }),
    close: () => rig.stop(),
  };
});
