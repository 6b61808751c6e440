import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { type Logger, startInterval, type Timer, toError } from "../../platform/index.ts";
import { within } from "../within.ts";
import { type Broker, type BrokerOptions, byQueue } from "./broker.ts";
import type { BrokerAddress } from "./broker-url.ts";
import { checkRedis } from "./redis-check.ts";
import { createRedisClients, type RedisClients, type RedisFacts, type RedisUse } from "./redis-client.ts";
import { consumeFromRedis, type JobData } from "./redis-consumer.ts";
import { redisKeys } from "./redis-keys.ts";
import { findMissing } from "./redis-lookup.ts";

/** BullMQ's priorities are 1 (first) to 2^21 (last); a job without one would overtake all that have one. */
const PRIORITY_MIDDLE = 2 ** 20;
/** How often the ends are looked up if the user may not use channels. */
const LOOK_UP_MS = 250;

/** BullMQ on Redis: a job per message, its lock is the lease. */
export function createRedisBroker(address: BrokerAddress, options: BrokerOptions, logger: Logger): Broker {
  const keys = redisKeys(options.prefix);
  const queues = new Map<string, Queue<JobData>>();
  let opened: { client: Redis; clients: RedisClients; facts: RedisFacts } | null = null;
  /** Id → queue. Kept only if ends have to be looked up. */
  const published = new Map<string, string>();
  let lookUpTimer: Timer | null = null;

  function here() {
    if (!opened) throw new Error("the broker was used before it was started");
    return opened;
  }

  function queueOf(name: string): Queue<JobData> {
    let queue = queues.get(name);
    if (!queue) {
      // The check at the start has asked for the version; the library's own prints lines past the log.
      queue = new Queue<JobData>(name, { connection: here().client, prefix: keys.bull, skipVersionCheck: true });
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

  const notHeld = (messages: readonly { queue: string; id: string }[]) =>
    within(findMissing(here().client, keys, messages), options.operationTimeoutMs, "looking up");

  function lookUpEnds(onGone: (ids: readonly string[]) => void): Timer {
    let isAsking = false;
    const ask = async () => {
      if (isAsking || published.size === 0) return;
      isAsking = true;
      try {
        const gone = await notHeld([...published].map(([id, queue]) => ({ id, queue })));
        for (const id of gone) published.delete(id);
        if (gone.length > 0) onGone(gone);
      } catch (error) {
        logger.debug({ error: toError(error).message }, "ends could not be looked up; retrying");
      } finally {
        isAsking = false;
      }
    };
    return startInterval(LOOK_UP_MS, () => void ask());
  }

  return {
    async start() {
      const facts = await checkRedis(address, options, logger);
      const clients = createRedisClients(address, options, facts, logger);
      const client = clients.open("publish");
      opened = { client, clients, facts };
      await client.connect();
    },
    async publish(messages) {
      const groups = byQueue(messages);
      const work = [...groups].map(([name, ofQueue]) =>
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
      const told = here().client.sadd(keys.queues, ...groups.keys());
      await Promise.all([...work, within(told, options.operationTimeoutMs, "publishing")]);
      if (lookUpTimer) for (const { id, queue } of messages) published.set(id, queue);
    },
    async remove(queue, id) {
      published.delete(id);
      await ask(queue, "removing", (known) => known.remove(id));
    },
    missing: (messages) => (messages.length === 0 ? Promise.resolve([]) : notHeld(messages)),
    counts: (names) =>
      Promise.all(
        names.map(async (name) => {
          const states = ["waiting", "prioritized", "delayed", "active"] as const;
          const found = await ask(name, "counting", (queue) => queue.getJobCounts(...states));
          const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = found;
          const served = await within(here().client.exists(keys.served(name)), options.operationTimeoutMs, "counting");
          return { queue: name, waiting: waiting + prioritized + delayed, taken: active, isServed: served === 1 };
        }),
      ),
    async watchEnds({ onEnded, onGone }) {
      const { clients, facts } = here();
      if (!facts.mayUseChannels) {
        lookUpTimer = lookUpEnds(onGone);
        return;
      }
      const subscriber = clients.open("take");
      // The check at the start publishes no id.
      subscriber.on("message", (_channel, text) => text !== "" && onEnded(text.split(",")));
      await subscriber.connect();
      await subscriber.subscribe(keys.ends);
    },
    consume(wanted) {
      const { clients, facts } = here();
      const own = (use: RedisUse) => clients.open(use);
      return consumeFromRedis({ own, keys, leaseMs: options.leaseSec * 1_000, tellsEnds: facts.mayUseChannels, logger }, wanted);
    },
    async close() {
      lookUpTimer?.cancel();
      await Promise.all(
        [...queues.values()].map((queue) =>
          queue.close().catch((error) => logger.debug({ error: toError(error).message }, "a queue could not be closed")),
        ),
      );
      opened?.clients.closeAll();
    },
  };
}

function toBullPriority(weight: number): number {
  return Math.min(2 * PRIORITY_MIDDLE - 1, Math.max(1, PRIORITY_MIDDLE - weight));
}
