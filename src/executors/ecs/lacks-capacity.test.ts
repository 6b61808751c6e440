import { expect, test } from "vitest";
import { lacksCapacity } from "./lacks-capacity.ts";

test.each([
  "RESOURCE:MEMORY",
  "RESOURCE:ENI; RESOURCE:CPU",
  "AGENT",
  "Capacity is unavailable at this time. Please try again later or in a different availability zone",
  "InvalidParameterException: No Container Instances were found in your cluster.",
  "You've reached the limit on the number of vCPUs you can run concurrently",
  "ECS task 1 stopped: AWS took its Spot capacity back (SpotInterruption)",
])("%s: waited for", (reason) => {
  expect(lacksCapacity(reason)).toBe(true);
});

test.each([
  "ATTRIBUTE",
  "AccessDeniedException: not authorized to perform: ecs:RunTask on resource: agent",
  "ClientException: TaskDefinition not found.",
  "CannotPullContainerError: no such image",
])("%s: an attempt", (reason) => {
  expect(lacksCapacity(reason)).toBe(false);
});
