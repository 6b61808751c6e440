import { z } from "zod";
import type { Config } from "../../config/index.ts";
import { type JsonObject, jsonObjectSchema } from "../../contracts/index.ts";
import { createEcsExecutor, type Executor, type ExecutorOptions, ecsKwargsFault, layOver } from "../../executors/index.ts";
import { BaramError } from "../../platform/index.ts";
import { connectOf, listOf, retryDelayMs, warnIfUnreachable } from "./aws.ts";
import type { ExecutorKind } from "./kind.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

export const ecsExecutor: ExecutorKind = {
  make: makeEcsExecutor,
  faultOf: (config, task) => faultOfEcsTask(config, task.executorConfig),
  docs: {
    runs: "in its own container on ECS (Fargate, Fargate Spot or EC2)",
    goodFor: "heavy or long tasks, each with its own CPU, memory, image and role",
    notFor: "tasks of a few seconds: the container start takes longer",
    page: "ecs.md",
  },
};

const strategySchema = z
  .array(
    z.strictObject({
      capacityProvider: z.string().min(1),
      weight: z.int().min(0).max(1_000).optional(),
      base: z.int().min(0).max(100_000).optional(),
    }),
  )
  .min(1);

/** Throws `config_invalid` for an option that is missing or contradicts another. */
function makeEcsExecutor(config: Config, options: ExecutorOptions, around: ExecutorSurroundings): Executor {
  const { apiUrl, logger } = around;
  const own = config.ecs_executor;
  const cluster = needed("cluster", own.cluster);
  const taskDefinition = needed("task_definition", own.task_definition);
  const containerName = needed("container_name", own.container_name);
  const runTaskKwargs = layOver(requestOf(own, taskDefinition), furtherKwargs(own.run_task_kwargs, containerName));
  warnIfUnreachable(options.name, apiUrl, logger);
  return createEcsExecutor(
    {
      ...options,
      parallelism: own.parallelism || options.parallelism,
      region: own.region_name,
      connect: connectOf("ecs_executor", own.conn_id, around),
      cluster,
      taskDefinition,
      containerName,
      runTaskKwargs,
      apiUrl,
      maxRunTaskAttempts: own.max_run_task_attempts,
      runTaskPerSec: own.run_task_rate,
      retryDelayMs,
      pollMs: own.poll_interval * 1_000,
      missingGraceMs: 60_000,
      findEnded: (ids) => around.findEnded(options.name, ids),
      checkHealthOnStartup: own.check_health_on_startup,
    },
    logger,
  );
}

/** What is wrong with a task's executorConfig for this executor, or null. */
function faultOfEcsTask(config: Config, executorConfig: JsonObject): string | null {
  const fault = ecsKwargsFault(executorConfig, config.ecs_executor.container_name ?? "");
  return fault === null ? null : `executorConfig for ECS: ${fault}`;
}

type Section = Config["ecs_executor"];

function requestOf(own: Section, taskDefinition: string): JsonObject {
  if (own.launch_type !== null && own.capacity_provider_strategy !== null)
    throw invalid("launch_type and capacity_provider_strategy are both set, and AWS takes one of them; unset the other.");
  const strategy = own.capacity_provider_strategy === null ? null : strategyOf(own.capacity_provider_strategy);
  const isFargate = own.launch_type === null || own.launch_type === "FARGATE";
  const network = networkOf(own, isFargate);
  return {
    taskDefinition,
    ...(own.launch_type === null ? {} : { launchType: own.launch_type }),
    ...(strategy === null ? {} : { capacityProviderStrategy: strategy }),
    ...(isFargate && own.platform_version !== "LATEST" ? { platformVersion: own.platform_version } : {}),
    ...(network === null ? {} : { networkConfiguration: network }),
  };
}

function networkOf(own: Section, isFargate: boolean): JsonObject | null {
  const subnets = listOf(own.subnets);
  const securityGroups = listOf(own.security_groups);
  if (subnets.length === 0 && (securityGroups.length > 0 || own.assign_public_ip))
    throw invalid("security_groups or assign_public_ip is set without subnets; name at least one subnet.");
  if (subnets.length > 16) throw invalid(`subnets names ${subnets.length} subnets, and AWS takes 16.`);
  if (securityGroups.length > 5) throw invalid(`security_groups names ${securityGroups.length} groups, and AWS takes 5.`);
  if (subnets.length === 0) return null;
  return {
    awsvpcConfiguration: {
      subnets,
      ...(securityGroups.length > 0 ? { securityGroups } : {}),
      ...(isFargate ? { assignPublicIp: own.assign_public_ip ? "ENABLED" : "DISABLED" } : {}),
    },
  };
}

function strategyOf(text: string): JsonObject[] {
  const parsed = strategySchema.safeParse(parseJson("capacity_provider_strategy", text));
  if (!parsed.success)
    throw invalid(
      `capacity_provider_strategy is ${text}, but must be a JSON list of {"capacityProvider": name, "weight": number, "base": number}.`,
    );
  return parsed.data;
}

function furtherKwargs(text: string | null, containerName: string): JsonObject {
  if (text === null) return {};
  const parsed = jsonObjectSchema.safeParse(parseJson("run_task_kwargs", text));
  if (!parsed.success) throw invalid(`run_task_kwargs is ${text}, but must be a JSON object of arguments of ECS RunTask.`);
  const fault = ecsKwargsFault(parsed.data, containerName);
  if (fault !== null) throw invalid(`run_task_kwargs: ${fault}.`);
  return parsed.data;
}

function parseJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`${option} is no JSON: ${(error as Error).message}.`, error);
  }
}

function needed(option: "cluster" | "task_definition" | "container_name", value: string | null): string {
  if (value) return value;
  throw invalid(
    `${option} is not set, and EcsExecutor is in [core] executor. Set it in baram.toml, or in BARAM__ECS_EXECUTOR__${option.toUpperCase()}.`,
  );
}

function invalid(message: string, cause?: unknown): BaramError {
  return new BaramError("config_invalid", `[ecs_executor] ${message}`, {}, cause);
}
