import type { Logger } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import type { RedisBoard } from "./redis-board.ts";

export type { Broker, BrokerOptions, Consumer, Delivery, QueueCount } from "./broker.ts";
export { openBroker } from "./open-broker.ts";
export { createQueueExecutor, type QueueExecutorOptions, queueFault } from "./queue-executor.ts";
export type { RedisBoard } from "./redis-board.ts";

/** Loads BullMQ only where a board is opened. */
export async function openRedisBoard(options: BrokerOptions, logger: Logger): Promise<RedisBoard | null> {
  return (await import("./redis-board.ts")).openRedisBoard(options, logger);
}
