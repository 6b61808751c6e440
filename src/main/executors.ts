import type { Config } from "../config/index.ts";
import type { SerializedTask } from "../contracts/index.ts";
import type { Executor } from "../executors/index.ts";
import { BaramError, didYouMean } from "../platform/index.ts";
import { ecsExecutor } from "./executors/ecs.ts";
import type { ExecutorKind } from "./executors/kind.ts";
import { lambdaExecutor } from "./executors/lambda.ts";
import { localExecutor, sequentialExecutor } from "./executors/local.ts";
import { queueExecutor } from "./executors/queue.ts";
import type { ExecutorSurroundings } from "./executors/surroundings.ts";

/** All kinds of executors. A new one needs a line here and its own file. */
export const EXECUTOR_KINDS: Readonly<Record<string, ExecutorKind>> = {
  LocalExecutor: localExecutor,
  SequentialExecutor: sequentialExecutor,
  QueueExecutor: queueExecutor,
  EcsExecutor: ecsExecutor,
  LambdaExecutor: lambdaExecutor,
};

export type ConfiguredExecutor = {
  /** One of the names in `EXECUTOR_KINDS`: what is stored with a task instance. */
  name: string;
  /** Its alias, which DAG files may use instead. */
  alias: string | null;
};

/** Executors of Airflow. */
const INSTEAD_OF_EXECUTORS: ReadonlyMap<string, string> = new Map([
  ["CeleryExecutor", "; the one with a broker and workers is QueueExecutor, see docs/executors/queue.md"],
  ["AwsEcsExecutor", "; here its name is EcsExecutor"],
  ["AwsLambdaExecutor", "; here its name is LambdaExecutor"],
  ["KubernetesExecutor", "; an executor for Kubernetes is not available yet"],
]);

/** The executors in [core] executor, the default first. Throws `executor_unknown` and `executor_twice`. */
export function configuredExecutors(config: Pick<Config, "core">): ConfiguredExecutor[] {
  const executors = config.core.executor
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part): ConfiguredExecutor => {
      const colon = part.indexOf(":");
      const alias = colon < 0 ? null : part.slice(0, colon).trim();
      const name = part.slice(colon + 1).trim();
      if (!Object.hasOwn(EXECUTOR_KINDS, name)) {
        const known = Object.keys(EXECUTOR_KINDS).join(", ");
        const hint = INSTEAD_OF_EXECUTORS.get(name) ?? didYouMean(name, Object.keys(EXECUTOR_KINDS));
        throw new BaramError("executor_unknown", `[core] executor names "${name}", which is none of ${known}${hint || "."}`, {
          name,
        });
      }
      if (alias !== null && !/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(alias))
        throw new BaramError(
          "executor_alias_invalid",
          `[core] executor gives ${name} the alias "${alias}"; an alias is a letter, then letters, digits, "_" and "-", 64 at most.`,
          { name, alias },
        );
      return { name, alias };
    });
  const callable = executors.flatMap((one) => [...namesOf(one)]);
  if (executors.length === 0 || new Set(callable).size < callable.length)
    throw new BaramError(
      "executor_twice",
      `[core] executor is "${config.core.executor}": it must name one executor or several, separated by commas, each once and each under names of its own.`,
      { executor: config.core.executor },
    );
  return executors;
}

/** As in [core] executor: its name, or alias:name. */
export function spellExecutor({ name, alias }: ConfiguredExecutor): string {
  return alias === null ? name : `${alias}:${name}`;
}

/** The names of the configured executors, the default first. Throws as `configuredExecutors`. */
export function executorNames(config: Pick<Config, "core">): string[] {
  return configuredExecutors(config).map(({ name }) => name);
}

/**
 * Resolves an executor's name in a DAG file: its full name, its short form ("local" for LocalExecutor), or its alias. null = none.
 */
export function resolveExecutor(named: string, configured: readonly ConfiguredExecutor[]): string | null {
  return configured.find((one) => namesOf(one).has(named))?.name ?? null;
}

function namesOf({ name, alias }: ConfiguredExecutor): Set<string> {
  return new Set([name, name.replace(/Executor$/, "").toLowerCase(), ...(alias === null ? [] : [alias])]);
}

/** Why the named executor cannot run a task, as far as that is known beforehand, or null. */
export function faultForExecutor(config: Config, name: string, task: SerializedTask, dagId: string): string | null {
  return EXECUTOR_KINDS[name]?.faultOf?.(config, task, dagId) ?? null;
}

/** Creates the configured executors, keyed by name, the default first. */
export function createExecutors(config: Config, around: ExecutorSurroundings, onEvent: () => void): Map<string, Executor> {
  return new Map(
    executorNames(config).flatMap((name) => {
      const kind = EXECUTOR_KINDS[name];
      return kind ? [[name, kind.make(config, { name, parallelism: config.core.parallelism, onEvent }, around)] as const] : [];
    }),
  );
}
