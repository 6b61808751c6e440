import { expect, test } from "vitest";
import { loadConfig } from "../../config/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { createExecutors, faultForExecutor } from "../executors.ts";

const ECS = {
  BARAM__CORE__EXECUTOR: "EcsExecutor",
  BARAM__ECS_EXECUTOR__CLUSTER: "main",
  BARAM__ECS_EXECUTOR__TASK_DEFINITION: "baram",
  BARAM__ECS_EXECUTOR__CONTAINER_NAME: "baram",
};
const LAMBDA = {
  BARAM__CORE__EXECUTOR: "LambdaExecutor",
  BARAM__LAMBDA_EXECUTOR__FUNCTION_NAME: "baram",
  BARAM__LAMBDA_EXECUTOR__QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/123456789012/results",
};
const configOf = (environment: Record<string, string>) => loadConfig({ BARAM_HOME: "/nowhere/at/all", ...environment });
const make = (environment: Record<string, string>) =>
  createExecutors(
    configOf(environment),
    { apiUrl: "https://baram", findConnection: async () => null, findEnded: async () => [], logger: silentLogger },
    () => {},
  );
const ecs = (own: Record<string, string>) =>
  make({
    ...ECS,
    ...Object.fromEntries(Object.entries(own).map(([name, value]) => [`BARAM__ECS_EXECUTOR__${name.toUpperCase()}`, value])),
  });
const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "config_invalid", message: expect.stringMatching(message) as string });

test("what an executor needs and is not set is named with its variable, and only where the executor is configured", () => {
  for (const name of ["CLUSTER", "TASK_DEFINITION", "CONTAINER_NAME"])
    expect(() => make({ ...ECS, [`BARAM__ECS_EXECUTOR__${name}`]: "" })).toThrow(
      invalid(new RegExp(`BARAM__ECS_EXECUTOR__${name}`)),
    );
  for (const name of ["FUNCTION_NAME", "QUEUE_URL"])
    expect(() => make({ ...LAMBDA, [`BARAM__LAMBDA_EXECUTOR__${name}`]: "" })).toThrow(
      invalid(new RegExp(`BARAM__LAMBDA_EXECUTOR__${name}`)),
    );
  expect([...make({ ...ECS, ...LAMBDA, BARAM__CORE__EXECUTOR: "LocalExecutor,big:EcsExecutor,LambdaExecutor" }).keys()]).toEqual([
    "LocalExecutor",
    "EcsExecutor",
    "LambdaExecutor",
  ]);
});

test.each([
  [
    { launch_type: "FARGATE", capacity_provider_strategy: '[{"capacityProvider":"FARGATE_SPOT"}]' },
    /launch_type and capacity_provider_strategy are both set/,
  ],
  [{ capacity_provider_strategy: "FARGATE_SPOT" }, /capacity_provider_strategy is no JSON/],
  [{ capacity_provider_strategy: '[{"provider":"FARGATE_SPOT"}]' }, /capacity_provider_strategy is .*, but must be a JSON list/],
  [{ capacity_provider_strategy: "[]" }, /must be a JSON list/],
  [{ run_task_kwargs: "[1]" }, /run_task_kwargs is \[1\], but must be a JSON object/],
  [{ run_task_kwargs: '{"count":2}' }, /run_task_kwargs: "count" cannot be set: Baram launches one ECS task/],
  [{ security_groups: "sg-1" }, /without subnets/],
  [{ subnets: Array.from({ length: 17 }, (_, at) => `s-${at}`).join(",") }, /names 17 subnets, and AWS takes 16/],
  [{ subnets: "s-1", security_groups: "a,b,c,d,e,f" }, /names 6 groups/],
])("options of ECS that do not fit are refused: %j", (own, message) => {
  expect(() => ecs(own)).toThrow(invalid(message));
});

test("a queue's URL must be one", () => {
  expect(() => make({ ...LAMBDA, BARAM__LAMBDA_EXECUTOR__QUEUE_URL: "results" })).toThrow(
    invalid(/queue_url is "results", but must be the URL/),
  );
  expect(() => make({ ...LAMBDA, BARAM__LAMBDA_EXECUTOR__DEAD_LETTER_QUEUE_URL: "x" })).toThrow(
    invalid(/dead_letter_queue_url is "x"/),
  );
});

test("what an executor cannot run is known from the task beforehand, where it can be", () => {
  const task = { executorConfig: {}, executionTimeoutSec: null } as unknown as Parameters<typeof faultForExecutor>[2];
  const config = configOf(ECS);
  expect(faultForExecutor(config, "LambdaExecutor", task)).toBeNull();
  expect(faultForExecutor(config, "LambdaExecutor", { ...task, executionTimeoutSec: 900 })).toBeNull();
  expect(faultForExecutor(config, "LambdaExecutor", { ...task, executionTimeoutSec: 901 })).toMatch(
    /executionTimeout is 901 s.*900 s at most/,
  );
  expect(
    faultForExecutor(config, "LocalExecutor", { ...task, executionTimeoutSec: 901, executorConfig: { command: 1 } }),
  ).toBeNull();
  expect(faultForExecutor(config, "EcsExecutor", { ...task, executionTimeoutSec: 901 })).toBeNull();
  expect(faultForExecutor(config, "EcsExecutor", { ...task, executorConfig: { command: "x" } })).toMatch(
    /"command" cannot be set/,
  );
});

test("a conn_id that no connection has ends the start, and is named with the remedy", async () => {
  for (const [section, base] of [
    ["ecs_executor", ECS],
    ["lambda_executor", LAMBDA],
  ] as const) {
    const [executor] = make({ ...base, [`BARAM__${section.toUpperCase()}__CONN_ID`]: "aws_prod" }).values();
    await expect(executor?.start()).rejects.toMatchObject({
      code: "connection_not_found",
      message: `There is no connection "aws_prod", which [${section}] conn_id names. Add it with: baram connections add`,
    });
  }
});
