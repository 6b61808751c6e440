import { startAwsRig } from "../support/aws/aws-rig.ts";
import { putBaramOnEcs } from "../support/aws/baram-on-aws.ts";
import { describeExecutor } from "./contract.ts";
import { GRACE_SEC } from "./rig.ts";

/** Containers are `baram worker run` processes on this machine; the rig's ECS starts, watches and stops them. */
describeExecutor("EcsExecutor", async () => {
  const rig = await startAwsRig();
  // Matches the settings of the suite's schedulers.
  const options = await putBaramOnEcs(rig, {
    BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
    BARAM__CORE__KILLED_TASK_CLEANUP_TIME: String(GRACE_SEC),
  });
  return {
    facts: {
      name: "EcsExecutor",
      running: "goes on outside",
      keepsQueued: true,
      revokeStops: true,
      externalId: /^arn:aws:ecs:us-east-1:123456789012:task\/main\/[0-9a-f]{32}$/,
      lossReason: /ECS task arn:\S+ stopped: EssentialContainerExited; .*exit code 137/,
    },
    environment: { BARAM__CORE__EXECUTOR: "EcsExecutor", ...options },
    delayStarts: (ms) => {
      rig.ecs.startDelayMs = ms;
    },
    close: () => rig.stop(),
  };
});
