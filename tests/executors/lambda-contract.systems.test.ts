import { startAwsRig } from "../support/aws/aws-rig.ts";
import { putBaramOnLambda } from "../support/aws/baram-on-aws.ts";
import { describeExecutor } from "./contract.ts";
import { GRACE_SEC } from "./rig.ts";

/** Functions are processes that have loaded the shipped handler; the rig's Lambda invokes and repeats them. */
describeExecutor("LambdaExecutor", async () => {
  const rig = await startAwsRig();
  const options = await putBaramOnLambda(rig, {
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
    environment: { BARAM__CORE__EXECUTOR: "LambdaExecutor", ...options },
    delayStarts: (ms) => {
      rig.lambda.startDelayMs = ms;
    },
    loseNextResult: () => rig.faults.next("SendMessage", { kind: "lose" }),
    close: () => rig.stop(),
  };
});
