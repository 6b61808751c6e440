import { z } from "zod";
import type { Config } from "../../config/index.ts";
import { type JsonObject, jsonObjectSchema, type SerializedTask, type Workload } from "../../contracts/index.ts";
import {
  composeRunTask,
  createEcsExecutor,
  type Executor,
  type ExecutorOptions,
  ecsKwargsFault,
  layOver,
} from "../../executors/index.ts";
import { BaramError } from "../../platform/index.ts";
import { baseUrl } from "../base-url.ts";
import { connectOf, listOf, outagePauseMs, retryDelayMs, SETTLE_MS, tellEveryMs, warnIfUnreachable } from "./aws.ts";
import type { ExecutorKind } from "./kind.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

export const ecsExecutor: ExecutorKind = {
  make: makeEcsExecutor,
  faultOf: faultOfEcsTask,
  check: {
    launches: true,
    whenSilent:
      "The log of the container says which URL it tried and what is wrong; usual causes: a security group or a private subnet without NAT, [api] base_url, an image of another release.",
  },
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
      outagePauseMs,
      capacityWaitMs: own.capacity_wait * 1_000,
      tellEveryMs: tellEveryMs(config),
      settleMs: SETTLE_MS,
      pollMs: own.poll_interval * 1_000,
      missingGraceMs: 60_000,
      findEnded: (ids) => around.findEnded(options.name, ids),
      checkHealthOnStartup: own.check_health_on_startup,
    },
    logger,
  );
}

/** What is wrong with a task's executorConfig for this executor, or null. */
function faultOfEcsTask(config: Config, task: SerializedTask, dagId: string): string | null {
  const own = config.ecs_executor;
  const containerName = own.container_name ?? "";
  const fault = ecsKwargsFault(task.executorConfig, containerName);
  if (fault !== null) return `executorConfig for ECS: ${fault}`;
  let base: JsonObject;
  try {
    base = layOver(requestOf(own, own.task_definition ?? ""), furtherKwargs(own.run_task_kwargs, containerName));
  } catch {
    // The scheduler does not start with these options, and says why.
    return null;
  }
  const parts = { base, cluster: own.cluster ?? "", containerName, apiUrl: baseUrl(config) ?? "" };
  const request = composeRunTask(usualWorkload(task, dagId), parts);
  return typeof request === "string" ? request : null;
}

/** As small as a workload of this task usually is: only what certainly never fits is a fault of the DAG file. */
function usualWorkload({ taskId, queue, executorConfig }: SerializedTask, dagId: string): Workload {
  const [id, runId] = ["0".repeat(UUID_CHARS), "r".repeat(RUN_ID_CHARS)];
  const ti = { id, dagId, runId, taskId, mapIndex: -1, tryNumber: 1, poolSlots: 1, queue, priorityWeight: 1, executorConfig };
  const logPath = `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=1.log`;
  return { type: "ExecuteTask", token: "t".repeat(TOKEN_CHARS), ti, moduleHash: "0".repeat(64), logPath };
}

const UUID_CHARS = 36;
/** Of `scheduled__` and an instant, and of a token for a workload. */
const RUN_ID_CHARS = 35;
const TOKEN_CHARS = 219;

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
