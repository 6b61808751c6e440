import type { Config } from "../../config/index.ts";
import { createLambdaExecutor, type Executor, type ExecutorOptions, LAMBDA_MAX_SEC } from "../../executors/index.ts";
import { BaramError } from "../../platform/index.ts";
import { connectOf, retryDelayMs, warnIfUnreachable } from "./aws.ts";
import type { ExecutorKind } from "./kind.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

export const lambdaExecutor: ExecutorKind = {
  make: makeLambdaExecutor,
  faultOf: (_config, task) => faultOfLambdaTask(task.executionTimeoutSec),
  docs: {
    runs: "in an invocation of a Lambda function",
    goodFor: "bursts of light tasks, without permanent infrastructure",
    notFor: "tasks over 15 minutes; tasks that must be stoppable at once",
    page: "lambda.md",
  },
};

/** One read by primary key for all invoked tries. It frees the slots of those whose result another scheduler received. */
const ENDED_CHECK_MS = 2_000;

/** Throws `config_invalid` for an option that is missing or not a URL. */
function makeLambdaExecutor(config: Config, options: ExecutorOptions, around: ExecutorSurroundings): Executor {
  const { apiUrl, logger } = around;
  const own = config.lambda_executor;
  warnIfUnreachable(options.name, apiUrl, logger);
  return createLambdaExecutor(
    {
      ...options,
      parallelism: own.parallelism || options.parallelism,
      region: own.region_name,
      connect: connectOf("lambda_executor", own.conn_id, around),
      functionName: needed("function_name", own.function_name),
      qualifier: own.qualifier,
      queueUrl: urlOf("queue_url", needed("queue_url", own.queue_url)),
      deadLetterQueueUrl: own.dead_letter_queue_url === null ? null : urlOf("dead_letter_queue_url", own.dead_letter_queue_url),
      apiUrl,
      maxInvokeAttempts: own.max_invoke_attempts,
      invokePerSec: own.invoke_rate,
      retryDelayMs,
      endWaitMs: own.end_wait_timeout * 1_000,
      findEnded: (ids) => around.findEnded(options.name, ids),
      endedCheckMs: ENDED_CHECK_MS,
      checkHealthOnStartup: own.check_health_on_startup,
    },
    logger,
  );
}

/** Why this executor cannot run a task, or null. A task without a time limit is accepted: most end in time. */
function faultOfLambdaTask(executionTimeoutSec: number | null): string | null {
  if (executionTimeoutSec === null || executionTimeoutSec <= LAMBDA_MAX_SEC) return null;
  return `executionTimeout is ${executionTimeoutSec} s, and a Lambda function runs ${LAMBDA_MAX_SEC} s at most; give the task another executor, or a shorter time`;
}

function needed(option: "function_name" | "queue_url", value: string | null): string {
  if (value) return value;
  throw invalid(
    `${option} is not set, and LambdaExecutor is in [core] executor. Set it in baram.toml, or in BARAM__LAMBDA_EXECUTOR__${option.toUpperCase()}.`,
  );
}

function urlOf(option: string, value: string): string {
  if (/^https?:\/\/[^/]+\/.+/.test(value)) return value;
  throw invalid(
    `${option} is "${value}", but must be the URL of an SQS queue, e.g. https://sqs.eu-west-1.amazonaws.com/123456789012/results.`,
  );
}

function invalid(message: string): BaramError {
  return new BaramError("config_invalid", `[lambda_executor] ${message}`);
}
