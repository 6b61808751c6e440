import type { Config } from "../config/index.ts";
import type { SerializedTask } from "../contracts/index.ts";
import type { Executor, ExecutorOptions } from "../executors/index.ts";
import { BaramError, didYouMean } from "../platform/index.ts";
import { faultOfEcsTask, makeEcsExecutor } from "./executors/ecs.ts";
import { faultOfLambdaTask, makeLambdaExecutor } from "./executors/lambda.ts";
import { makeLocalExecutor } from "./executors/local.ts";
import { makeQueueExecutor } from "./executors/queue.ts";
import type { ExecutorSurroundings } from "./executors/surroundings.ts";

type MakeExecutor = (config: Config, options: ExecutorOptions, around: ExecutorSurroundings) => Executor;

/** Every executor there is. A further one is a line here, a file beside `executors/local.ts`, and options of its own. */
const MAKERS: Readonly<Record<string, MakeExecutor>> = {
  LocalExecutor: (config, options, { apiUrl, logger }) =>
    makeLocalExecutor(
      config,
      { ...options, parallelism: config.local_executor.parallelism || options.parallelism },
      apiUrl,
      logger,
    ),
  SequentialExecutor: (config, options, { apiUrl, logger }) =>
    makeLocalExecutor(config, { ...options, parallelism: 1 }, apiUrl, logger),
  // Its workers are told of the API themselves.
  QueueExecutor: (config, options, { logger }) => makeQueueExecutor(config, options, logger),
  EcsExecutor: (config, options, around) =>
    makeEcsExecutor(config, { ...options, parallelism: config.ecs_executor.parallelism || options.parallelism }, around),
  LambdaExecutor: (config, options, around) =>
    makeLambdaExecutor(config, { ...options, parallelism: config.lambda_executor.parallelism || options.parallelism }, around),
};

export type ConfiguredExecutor = {
  /** One of the names in `MAKERS`: what is stored with a task instance. */
  name: string;
  /** What DAG files may call it besides. */
  alias: string | null;
};

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
      if (!Object.hasOwn(MAKERS, name)) {
        const known = Object.keys(MAKERS).join(", ");
        const hint = didYouMean(name, Object.keys(MAKERS));
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

/** The name of the executor that a DAG file means by its name, its short form ("local" for LocalExecutor), or its alias. null = none. */
export function resolveExecutor(named: string, configured: readonly ConfiguredExecutor[]): string | null {
  return configured.find((one) => namesOf(one).has(named))?.name ?? null;
}

function namesOf({ name, alias }: ConfiguredExecutor): Set<string> {
  return new Set([name, name.replace(/Executor$/, "").toLowerCase(), ...(alias === null ? [] : [alias])]);
}

/** What the executor, given by its name, can tell beforehand that it cannot run of a task, or null. */
export function faultForExecutor(config: Config, name: string, task: SerializedTask): string | null {
  if (name === "EcsExecutor") return faultOfEcsTask(config, task.executorConfig);
  if (name === "LambdaExecutor") return faultOfLambdaTask(task.executionTimeoutSec);
  return null;
}

/** Makes the configured executors, keyed by name, the default first. */
export function createExecutors(config: Config, around: ExecutorSurroundings, onEvent: () => void): Map<string, Executor> {
  return new Map(
    executorNames(config).flatMap((name) => {
      const make = MAKERS[name];
      return make ? [[name, make(config, { name, parallelism: config.core.parallelism, onEvent }, around)] as const] : [];
    }),
  );
}
