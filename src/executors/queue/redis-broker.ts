import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { type Logger, toError } from "../../platform/index.ts";
import type { Broker, BrokerMessage, BrokerOptions } from "./broker.ts";
import type { BrokerAddress } from "./broker-url.ts";
import { checkRedis, createRedisClient, type RedisUse } from "./redis-client.ts";
import { consumeFromRedis, type JobData } from "./redis-consumer.ts";
import { redisKeys } from "./redis-keys.ts";
import { within } from "./within.ts";

/** BullMQ's priorities are 1 (first) to 2^21 (last); a job without one would overtake all that have one. */
const PRIORITY_MIDDLE = 2 ** 20;

/** BullMQ on Redis: a job per message, its lock is the lease. */
export function createRedisBroker(address: BrokerAddress, options: BrokerOptions, logger: Logger): Broker {
  const keys = redisKeys(options.prefix);
  const client = createRedisClient(address, options, "publish", logger);
  const clients: Redis[] = [client];
  const queues = new Map<string, Queue<JobData>>();

  function queueOf(name: string): Queue<JobData> {
    let queue = queues.get(name);
    if (!queue) {
      queue = new Queue<JobData>(name, { connection: client, prefix: keys.bull });
      // The connection's errors arrive here too; the client has logged them.
      queue.on("error", () => {});
      queues.set(name, queue);
    }
    return queue;
  }

  /** A queue object created while the server was away fails for ever: after a failure the next call creates a new one. */
  async function ask<T>(name: string, what: string, work: (queue: Queue<JobData>) => Promise<T>): Promise<T> {
    const queue = queueOf(name);
    try {
      return await within(work(queue), options.operationTimeoutMs, what);
    } catch (error) {
      if (queues.get(name) === queue) queues.delete(name);
      queue.close().catch(() => {});
      throw error;
    }
  }

  const own = (use: RedisUse) => {
    const further = createRedisClient(address, options, use, logger);
    clients.push(further);
    return further;
  };

  return {
    async start() {
      await checkRedis(address, options, logger);
      await client.connect();
    },
    async publish(messages) {
      const byQueue = new Map<string, BrokerMessage[]>();
      for (const one of messages) byQueue.set(one.queue, [...(byQueue.get(one.queue) ?? []), one]);
      const work = [...byQueue].map(([name, ofQueue]) =>
        ask(name, "publishing", (queue) =>
          queue.addBulk(
            ofQueue.map(({ id, body, priority }) => ({
              name: "workload",
              data: { body },
              // Removed when done: its id may be published again, and a kept job would make BullMQ ignore it.
              opts: { jobId: id, priority: toBullPriority(priority), removeOnComplete: true, removeOnFail: true },
            })),
          ),
        ),
      );
      const told = client.sadd(keys.queues, ...byQueue.keys());
      await Promise.all([...work, within(told, options.operationTimeoutMs, "publishing")]);
    },
    async remove(queue, id) {
      await ask(queue, "removing", (known) => known.remove(id));
    },
    async missing(messages) {
      if (messages.length === 0) return [];
      const pipeline = client.pipeline();
      for (const { queue, id } of messages) pipeline.exists(keys.job(queue, id));
      const answers = (await within(pipeline.exec(), options.operationTimeoutMs, "looking up")) ?? [];
      return messages.flatMap(({ id }, at) => {
        const [error, found] = answers[at] ?? [new Error("no answer"), null];
        if (error) throw error;
        return found === 0 ? [id] : [];
      });
    },
    counts: (names) =>
      Promise.all(
        names.map(async (name) => {
          const states = ["waiting", "prioritized", "delayed", "active"] as const;
          const found = await ask(name, "counting", (queue) => queue.getJobCounts(...states));
          const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = found;
          const served = await within(client.exists(keys.served(name)), options.operationTimeoutMs, "counting");
          return { queue: name, waiting: waiting + prioritized + delayed, taken: active, isServed: served === 1 };
        }),
      ),
    async watchEnds(onEnded) {
      const subscriber = own("take");
      subscriber.on("message", (_channel, text) => onEnded(text.split(",")));
      await subscriber.connect();
      await subscriber.subscribe(keys.ends);
    },
    consume: (wanted) => consumeFromRedis({ own, keys, leaseMs: options.leaseSec * 1_000, logger }, wanted),
    async close() {
      await Promise.all(
        [...queues.values()].map((queue) =>
          queue.close().catch((error) => logger.debug({ error: toError(error).message }, "a queue could not be closed")),
        ),
      );
      for (const one of clients) one.disconnect();
    },
  };
}

function toBullPriority(weight: number): number {
  return Math.min(2 * PRIORITY_MIDDLE - 1, Math.max(1, PRIORITY_MIDDLE - weight));
}
