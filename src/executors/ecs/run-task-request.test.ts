import { expect, test } from "vitest";
import { makeWorkload, withVariables } from "../../../tests/support/aws/workloads.ts";
import type { JsonObject } from "../../contracts/index.ts";
import { composeRunTask, faultOfKwargs, layOver } from "./run-task-request.ts";

const PARTS = {
  base: { taskDefinition: "baram", launchType: "FARGATE" },
  cluster: "main",
  containerName: "baram",
  apiUrl: "http://api",
};
const compose = (executorConfig: JsonObject, base: JsonObject = PARTS.base) => {
  const request = composeRunTask(makeWorkload({ executorConfig }), { ...PARTS, base });
  if (typeof request === "string") throw new Error(request);
  return request;
};

test("the same workload makes the same request, under the try's id", () => {
  const workload = makeWorkload();
  expect(composeRunTask(workload, PARTS)).toEqual(composeRunTask(structuredClone(workload), PARTS));
  expect(composeRunTask(workload, PARTS)).toMatchObject({
    clientToken: workload.ti.id,
    startedBy: workload.ti.id,
    cluster: "main",
    count: 1,
  });
});

test("executorConfig is laid over the options' arguments: objects merged, containers and variables by name, the rest replaced", () => {
  const base: JsonObject = {
    ...PARTS.base,
    tags: [{ key: "a", value: "1" }],
    networkConfiguration: { awsvpcConfiguration: { subnets: ["s-1"], assignPublicIp: "DISABLED" } },
    overrides: {
      containerOverrides: [
        { name: "proxy", cpu: 64 },
        {
          name: "baram",
          memory: 512,
          environment: [
            { name: "A", value: "1" },
            { name: "B", value: "1" },
          ],
        },
      ],
    },
  };
  const untouched = structuredClone(base);
  const request = compose(
    {
      taskDefinition: "large:7",
      tags: [{ key: "b", value: "2" }],
      networkConfiguration: { awsvpcConfiguration: { subnets: ["s-2"] } },
      overrides: { cpu: "1024", containerOverrides: [{ name: "baram", cpu: 256, environment: [{ name: "B", value: "2" }] }] },
    },
    base,
  );
  expect(request).toMatchObject({
    taskDefinition: "large:7",
    launchType: "FARGATE",
    tags: [{ key: "b", value: "2" }],
    networkConfiguration: { awsvpcConfiguration: { subnets: ["s-2"], assignPublicIp: "DISABLED" } },
  });
  const { containerOverrides = [], ...overrides } = request.overrides ?? {};
  expect(overrides).toEqual({ cpu: "1024" });
  expect(containerOverrides.map(({ name }) => name)).toEqual(["proxy", "baram"]);
  expect(containerOverrides[1]).toMatchObject({
    memory: 512,
    cpu: 256,
    command: ["worker", "run", "--workload", "env", "--api-url", "http://api"],
  });
  expect(containerOverrides[1]?.environment?.map(({ name, value }) => [name, name === "BARAM_WORKLOAD" ? "" : value])).toEqual([
    ["A", "1"],
    ["B", "2"],
    ["BARAM_WORKLOAD", ""],
  ]);
  expect(base, "the options' own are as they were").toEqual(untouched);
});

test("of a launch type and capacity providers the task's own counts", () => {
  const spot = { capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT", weight: 1 }] };
  expect(compose(spot)).not.toHaveProperty("launchType");
  expect(layOver(spot, { launchType: "EC2" })).toEqual({ launchType: "EC2" });
});

test.each([
  [{ command: ["sh"] }, /"command" cannot be set: the container's command is Baram's/],
  [{ name: "x" }, /"name" cannot be set/],
  [{ clientToken: "x" }, /"clientToken" cannot be set: it is Baram's guard/],
  [{ cluster: "other" }, /"cluster" cannot be set/],
  [{ launchtype: "EC2" }, /"launchtype" is no argument of ECS RunTask/],
  [{ toString: "x" }, /"toString" is no argument/],
  [{ overrides: "x" }, /"overrides" must be an object/],
  [{ overrides: { containerOverrides: {} } }, /must be a list/],
  [{ overrides: { containerOverrides: [{ cpu: 1 }] } }, /needs the "name" of its container/],
  [{ overrides: { containerOverrides: [{ name: "baram", command: ["sh"] }] } }, /"command" of container "baram" cannot be set/],
  [{ overrides: { containerOverrides: [{ name: "baram", environment: [{ name: "A", value: 1 }] }] } }, /both strings/],
  [withVariables({ BARAM_WORKLOAD: "{}" }), /BARAM_WORKLOAD in container "baram" cannot be set/],
] as [JsonObject, RegExp][])("refused in executorConfig: %j", (kwargs, message) => {
  expect(faultOfKwargs(kwargs, "baram")).toMatch(message);
  expect(composeRunTask(makeWorkload({ executorConfig: kwargs }), PARTS)).toMatch(message);
});

test("what is Baram's own container's may be set for another", () => {
  expect(faultOfKwargs({ overrides: { containerOverrides: [{ name: "proxy", command: ["sh"] }] } }, "baram")).toBeNull();
});

test("overrides that are over AWS's limit with the workload in them are refused with both numbers", () => {
  const long = composeRunTask(makeWorkload({ executorConfig: withVariables({ LONG: "x".repeat(7_900) }) }), PARTS);
  expect(long).toMatch(/are 8\d\d\d characters as JSON, and AWS takes 8192: shorten ids, or the overrides/);
  expect(composeRunTask(makeWorkload({ executorConfig: withVariables({ LONG: "x".repeat(7_000) }) }), PARTS)).not.toBeTypeOf(
    "string",
  );
});
