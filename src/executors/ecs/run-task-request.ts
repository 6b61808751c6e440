import type { ContainerOverride, RunTaskCommandInput } from "@aws-sdk/client-ecs";
import { type JsonObject, type JsonValue, type Workload, workloadId } from "../../contracts/index.ts";

/** The limit of AWS for `overrides` as JSON, in characters. */
export const OVERRIDES_MAX_CHARS = 8_192;

/** Arguments of RunTask that the options and executorConfig may set. */
const KWARGS = new Set([
  "capacityProviderStrategy",
  "enableECSManagedTags",
  "enableExecuteCommand",
  "group",
  "launchType",
  "networkConfiguration",
  "overrides",
  "placementConstraints",
  "placementStrategy",
  "platformVersion",
  "propagateTags",
  "referenceId",
  "tags",
  "taskDefinition",
  "volumeConfigurations",
]);
const OURS: Readonly<Record<string, string>> = {
  cluster: "Baram looks for its tasks in [ecs_executor] cluster",
  count: "Baram launches one ECS task for each try",
  clientToken: "it is Baram's guard against launching a try twice",
  startedBy: "it is how Baram finds a try's ECS task again",
  command: "the container's command is Baram's",
  name: "the container is [ecs_executor] container_name",
};

/** The fault of RunTask arguments given by a user, or null. */
export function faultOfKwargs(kwargs: JsonObject, containerName: string): string | null {
  for (const key of Object.keys(kwargs)) {
    const why = Object.hasOwn(OURS, key) ? OURS[key] : undefined;
    if (why !== undefined) return `"${key}" cannot be set: ${why}`;
    if (!KWARGS.has(key)) return `"${key}" is no argument of ECS RunTask that can be set; there are ${[...KWARGS].join(", ")}`;
  }
  const { overrides } = kwargs;
  if (overrides === undefined) return null;
  if (!isObject(overrides)) return `"overrides" must be an object`;
  const { containerOverrides } = overrides;
  if (containerOverrides === undefined) return null;
  if (!Array.isArray(containerOverrides)) return `"overrides.containerOverrides" must be a list`;
  for (const one of containerOverrides) {
    if (!isObject(one) || typeof one.name !== "string")
      return `every element of "overrides.containerOverrides" needs the "name" of its container`;
    if (one.name !== containerName) continue;
    if (one.command !== undefined) return `"command" of container "${containerName}" cannot be set: it is Baram's`;
    const { environment = [] } = one;
    if (!Array.isArray(environment)) return `"environment" of container "${containerName}" must be a list of {name, value}`;
    for (const variable of environment) {
      if (!isObject(variable) || typeof variable.name !== "string" || typeof variable.value !== "string")
        return `"environment" of container "${containerName}" must be a list of {name, value}, both strings`;
      if (!/^[^=\0]+$/.test(variable.name) || variable.value.includes("\0"))
        return `"environment" of container "${containerName}" has ${JSON.stringify(variable.name)}, which no process can be given: a name is not empty and has no "=", and neither name nor value has a NUL character`;
      if (variable.name === "BARAM_WORKLOAD")
        return `BARAM_WORKLOAD in container "${containerName}" cannot be set: it is Baram's`;
    }
  }
  return null;
}

export type RequestParts = { base: JsonObject; cluster: string; containerName: string; apiUrl: string };

/**
 * The request that launches one workload: the options' arguments, overridden by the task's own, then by Baram's. It is the same for
 * the same workload, with the try's id as clientToken, so that a repeated request launches nothing twice. A string: why it cannot
 * be launched.
 */
export function composeRunTask(workload: Workload, parts: RequestParts): RunTaskCommandInput | string {
  const own = workload.type === "ExecuteTask" ? workload.ti.executorConfig : {};
  const fault = faultOfKwargs(own, parts.containerName);
  if (fault !== null) return `its executorConfig cannot be used: ${fault}`;
  const kwargs = layOver(parts.base, own) as Partial<RunTaskCommandInput>;
  const given = kwargs.overrides?.containerOverrides ?? [];
  const container = given.find(({ name }) => name === parts.containerName);
  const ours: ContainerOverride = {
    ...container,
    name: parts.containerName,
    command: ["worker", "run", "--workload", "env", "--api-url", parts.apiUrl],
    environment: [...(container?.environment ?? []), { name: "BARAM_WORKLOAD", value: textOf(workload) }],
  };
  const overrides = {
    ...kwargs.overrides,
    containerOverrides: [...given.filter(({ name }) => name !== parts.containerName), ours],
  };
  const chars = JSON.stringify(overrides).length;
  if (chars > OVERRIDES_MAX_CHARS)
    return `its workload and its overrides are ${chars} characters as JSON, and AWS takes ${OVERRIDES_MAX_CHARS}: shorten ids, or the overrides in executorConfig and [ecs_executor] run_task_kwargs`;
  const id = workloadId(workload);
  return {
    ...kwargs,
    taskDefinition: kwargs.taskDefinition,
    cluster: parts.cluster,
    count: 1,
    clientToken: id,
    startedBy: id,
    overrides,
  };
}

/** The worker does not need executorConfig, and space is limited. */
function textOf(workload: Workload): string {
  return JSON.stringify(workload.type === "ExecuteTask" ? { ...workload, ti: { ...workload.ti, executorConfig: {} } } : workload);
}

/**
 * Objects are merged, containers and variables by name; everything else is replaced. A launch type and a capacity provider strategy
 * exclude each other: the overriding one is used.
 */
export function layOver(lower: JsonObject, upper: JsonObject): JsonObject {
  const merged: JsonObject = { ...lower };
  if (upper.capacityProviderStrategy !== undefined) delete merged.launchType;
  if (upper.launchType !== undefined) delete merged.capacityProviderStrategy;
  for (const [key, value] of Object.entries(upper)) {
    const was = merged[key];
    if (isObject(was) && isObject(value)) merged[key] = layOver(was, value);
    else if ((key === "containerOverrides" || key === "environment") && Array.isArray(was) && Array.isArray(value))
      merged[key] = layOverByName(was, value);
    else merged[key] = value;
  }
  return merged;
}

function layOverByName(lower: JsonValue[], upper: JsonValue[]): JsonValue[] {
  const byName = new Map<unknown, JsonObject>();
  for (const one of [...lower, ...upper]) {
    if (!isObject(one)) continue;
    byName.set(one.name, layOver(byName.get(one.name) ?? {}, one));
  }
  return [...byName.values()];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
