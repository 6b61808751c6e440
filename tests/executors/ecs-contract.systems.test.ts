import { join } from "node:path";
import { findPackageRoot } from "../../src/platform/index.ts";
import { startAwsRig } from "../support/aws/aws-rig.ts";
import { describeExecutor } from "./contract.ts";
import { GRACE_SEC } from "./rig.ts";

/** Containers are `baram worker run` processes on this machine; the rig's ECS starts, watches and stops them. */
describeExecutor("EcsExecutor", async () => {
  const rig = await startAwsRig();
  await rig.createCluster("main");
  await rig.registerTask("baram", {
    name: "baram",
    entryPoint: [process.execPath, join(findPackageRoot(), "dist", "cli", "main.js")],
    // Matches the settings of the suite's schedulers.
    environment: [
      { name: "BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC", value: "0.3" },
      { name: "BARAM__CORE__KILLED_TASK_CLEANUP_TIME", value: String(GRACE_SEC) },
    ],
  });
  return {
    facts: {
      name: "EcsExecutor",
      running: "goes on outside",
      keepsQueued: true,
      revokeStops: true,
      externalId: /^arn:aws:ecs:us-east-1:123456789012:task\/main\/[0-9a-f]{32}$/,
      lossReason: /ECS task [0-9a-f]{32} stopped: EssentialContainerExited; .*exit code 137/,
    },
    environment: {
      BARAM__CORE__EXECUTOR: "EcsExecutor",
      BARAM__ECS_EXECUTOR__CLUSTER: "main",
      BARAM__ECS_EXECUTOR__TASK_DEFINITION: "baram",
      BARAM__ECS_EXECUTOR__CONTAINER_NAME: "baram",
      BARAM__ECS_EXECUTOR__SUBNETS: "subnet-0a",
      BARAM__ECS_EXECUTOR__POLL_INTERVAL: "0.1",
    },
    delayStarts: (ms) => {
      rig.ecs.startDelayMs = ms;
    },
    close: () => rig.stop(),
  };
});
