import { Queue } from "bullmq";
import type { Logger } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import { readBrokerUrl } from "./broker-url.ts";
import { checkRedis } from "./redis-check.ts";
import { createRedisClients } from "./redis-client.ts";
import type { JobData } from "./redis-consumer.ts";
import { redisKeys } from "./redis-keys.ts";

/** BullMQ's own view of the queues, for a board that shows their jobs. */
export type RedisBoard = {
  /** Every queue that was ever published to, each as one cached object. */
  queues(): Promise<Queue<JobData>[]>;
  close(): Promise<void>;
};

/** null = the broker is not Redis. Rejects like a broker's `start`. */
export async function openRedisBoard(options: BrokerOptions, logger: Logger): Promise<RedisBoard | null> {
  const address = readBrokerUrl(options.url);
  if (address.kind !== "redis") return null;
  const facts = await checkRedis(address, options, logger);
  const keys = redisKeys(options.prefix);
  const clients = createRedisClients(address, options, facts, logger);
  const client = clients.open("publish");
  await client.connect();
  const known = new Map<string, Queue<JobData>>();
  return {
    async queues() {
      for (const name of (await client.smembers(keys.queues)).sort()) {
        if (known.has(name)) continue;
        const queue = new Queue<JobData>(name, { connection: client, prefix: keys.bull, skipVersionCheck: true });
        queue.on("error", () => {});
        known.set(name, queue);
      }
      return [...known.values()];
    },
    async close() {
      for (const queue of known.values()) await queue.close();
      clients.closeAll();
    },
  };
}
