import { readFileSync } from "node:fs";
import type { Config } from "../../config/index.ts";
import type { Executor, ExecutorOptions } from "../../executors/index.ts";
import { type BrokerOptions, createQueueExecutor, queueFault } from "../../executors/queue/index.ts";
import { BaramError, toError } from "../../platform/index.ts";
import type { ExecutorKind } from "./kind.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

export const queueExecutor: ExecutorKind = {
  // Its workers have the API's URL in their own configuration.
  make: makeQueueExecutor,
  faultOf: (_config, { queue }) => queueFault("QueueExecutor", queue),
  check: {
    launches: false,
    whenSilent:
      "Does a worker run for this queue, with a token that is valid, and does it reach the API at its own [api] base_url? Its log says so.",
  },
  docs: {
    runs: "in a warm process of a worker that reads from Redis or RabbitMQ",
    goodFor: "many short or medium tasks on your own machines, routed by queue name",
    notFor: "tasks that each need a different machine size",
    page: "queue.md",
  },
};

function makeQueueExecutor(config: Config, options: ExecutorOptions, around: ExecutorSurroundings): Executor {
  return createQueueExecutor(
    {
      ...options,
      parallelism: config.queue.parallelism || options.parallelism,
      broker: brokerOptions(config),
      callbackQueue: config.operators.default_queue,
      checkSec: config.queue.check_interval,
      findEnded: (ids) => around.findEnded(options.name, ids),
    },
    around.logger,
  );
}

/**
 * The broker's settings from [queue]. Throws `broker_url_invalid` if there is no URL, and `config_invalid` for a file that cannot
 * be read.
 */
export function brokerOptions({ queue }: Config): BrokerOptions {
  if (queue.broker_url === null)
    throw new BaramError(
      "broker_url_invalid",
      "[queue] broker_url is not set. The queue executor and its workers need a broker: set BARAM__QUEUE__BROKER_URL to redis://host:6379/0 or amqp://host:5672, with user and password.",
      {},
    );
  return {
    url: queue.broker_url,
    prefix: queue.key_prefix,
    leaseSec: queue.lease_sec,
    operationTimeoutMs: queue.operation_timeout * 1_000,
    tls: {
      ca: readPem("ssl_cacert", queue.ssl_cacert),
      cert: readPem("ssl_cert", queue.ssl_cert),
      key: readPem("ssl_key", queue.ssl_key),
    },
  };
}

function readPem(option: string, path: string | null): string | null {
  if (path === null) return null;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new BaramError(
      "config_invalid",
      `[queue] ${option} is ${path}, which cannot be read: ${toError(error).message}`,
      { option, path },
      error,
    );
  }
}
