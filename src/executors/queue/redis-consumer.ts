import { randomUUID } from "node:crypto";
import { Job, type JobJson, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { type Logger, sleep, startInterval, toError } from "../../platform/index.ts";
import type { ConsumeOptions, Consumer, Delivery } from "./broker.ts";
import type { RedisUse } from "./redis-client.ts";
import type { RedisKeys } from "./redis-keys.ts";

/** A message in BullMQ: a job with the message's id. */
export type JobData = { body: string };

type Resources = {
  own(use: RedisUse): Redis;
  keys: RedisKeys;
  leaseMs: number;
  /** Whether it may tell the ends over a channel. */
  tellsEnds: boolean;
  logger: Logger;
};

/** The longest wait for a job; then the queues are polled anyway. */
const WAIT_SEC = 5;
/** The API decides about repeated deliveries: it refuses a try that has started. */
const STALLED_MAX = 2 ** 31 - 1;
/** Acknowledged ids are collected for this long, and published together. */
const NOTICE_MS = 5;
const RETRY_MS = 200;

/**
 * Fetches jobs itself instead of using BullMQ's loop: a worker's limit applies to all its queues together, and each loop would
 * occupy one slot while it waits. One blocking call waits for all queues.
 */
export async function consumeFromRedis(resources: Resources, { onDelivery, ...wanted }: ConsumeOptions): Promise<Consumer> {
  const { keys, leaseMs, tellsEnds, logger } = resources;
  const token = randomUUID();
  const client = resources.own("take");
  const waiter = resources.own("wait");
  const sources = new Map<string, Worker<JobData>>();
  const inHand = new Map<string, Job<JobData>>();
  /** Calls in flight that may each return a job. */
  let asking = 0;
  let queues: readonly string[] = [];
  let limit = wanted.limit;
  let state: "taking" | "paused" | "stopped" = "taking";
  /** Ends the wait for a free slot or for resuming. */
  let goOn = () => {};
  /** Ends the wait for messages. */
  let interrupt = () => {};
  let first = 0;
  let ended: string[] = [];
  let noticeTimer: NodeJS.Timeout | null = null;

  const quietly = async (work: Promise<unknown>, what: string) => {
    await work.catch((error) => logger.debug({ error: toError(error).message }, what));
  };

  async function sourceOf(queue: string): Promise<Worker<JobData>> {
    const known = sources.get(queue);
    if (known) return known;
    const source = new Worker<JobData>(queue, null, {
      connection: client,
      prefix: keys.bull,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: Math.max(250, leaseMs / 2),
      maxStalledCount: STALLED_MAX,
      skipVersionCheck: true,
    });
    source.on("error", (error) => logger.debug({ queue, error: error.message }, "consuming from the broker failed; retrying"));
    sources.set(queue, source);
    await source.startStalledCheckTimer();
    return source;
  }

  function deliver(queue: string, job: Job<JobData>): void {
    const id = job.id ?? "";
    if (typeof job.data?.body !== "string") {
      void discard(queue, job);
      return;
    }
    inHand.set(id, job);
    const letGo = async (work: () => Promise<unknown>, what: string) => {
      // It was redelivered meanwhile: the later delivery has the lease.
      if (inHand.get(id) === job) inHand.delete(id);
      await quietly(work(), what);
      goOn();
    };
    const delivery: Delivery = {
      queue,
      id,
      body: job.data.body,
      async ack() {
        await letGo(() => complete(queue, job), "a message was not ours any more when it was acknowledged");
        notice(id);
      },
      requeue: () => letGo(() => giveBack(queue, job), "a message was not ours any more when it was given back"),
    };
    onDelivery(delivery);
  }

  /**
   * A server that is out of memory may delete a message's data and keep its id in the queue. It is taken out without telling its end:
   * so the scheduler misses it, and queues it again.
   */
  async function discard(queue: string, job: Job<JobData>): Promise<void> {
    logger.warn(
      { queue, id: job.id },
      "the broker has deleted a message's data; its task is queued again. Does the broker's maxmemory-policy allow that? It must be noeviction.",
    );
    job.opts = { ...job.opts, removeOnComplete: true };
    await quietly(job.moveToCompleted(null, token, false), "an empty message could not be taken out");
  }

  /** With a single queue the same call fetches the next job; with several, a full one would starve the others. */
  async function complete(queue: string, job: Job<JobData>): Promise<void> {
    const isToTake = state === "taking" && queues.length === 1 && queues[0] === queue && hasRoom();
    if (isToTake) asking++;
    try {
      const [data, id] = ((await job.moveToCompleted(null, token, isToTake)) ?? []) as [JobJson?, string?];
      if (!data || !id) return;
      const next = Job.fromJSON<JobData>(await sourceOf(queue), data, id);
      if (state === "taking") deliver(queue, next);
      else await giveBack(queue, next);
    } finally {
      if (isToTake) asking--;
    }
  }

  const hasRoom = () => inHand.size + asking < limit;

  async function giveBack(queue: string, job: Job<JobData>): Promise<void> {
    await job.moveToWait(token);
    // BullMQ does not notify of a returned job: without the marker it would wait for the next poll.
    await client.zadd(keys.marker(queue), 0, "0");
  }

  function notice(id: string): void {
    if (!tellsEnds) return;
    ended.push(id);
    noticeTimer ??= setTimeout(tellFinished, NOTICE_MS);
  }

  function tellFinished(): Promise<void> {
    if (noticeTimer) clearTimeout(noticeTimer);
    noticeTimer = null;
    const ids = ended;
    ended = [];
    return ids.length === 0 ? Promise.resolve() : quietly(client.publish(keys.ends, ids.join(",")), "ends were not told");
  }

  async function takeOne(): Promise<boolean> {
    asking++;
    try {
      return await takeFromOne();
    } finally {
      asking--;
    }
  }

  /** Each queue in turn comes first, so that a full one starves none. */
  async function takeFromOne(): Promise<boolean> {
    first++;
    for (let step = 0; step < queues.length; step++) {
      const queue = queues[(first + step) % queues.length];
      if (queue === undefined || state !== "taking") return false;
      const job = await (await sourceOf(queue)).getNextJob(token, { block: false });
      if (!job) continue;
      deliver(queue, job as Job<JobData>);
      return true;
    }
    return false;
  }

  async function waitForMessages(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const isSettled = await Promise.race([
      waiter.bzpopmin(...queues.map(keys.marker), WAIT_SEC).then(
        () => true,
        () => sleep(RETRY_MS).then(() => true),
      ),
      // Aborted by a change of queues or by the shutdown. The marker that the call may still take is only a hint and is set again.
      new Promise<boolean>((resolve) => {
        interrupt = () => resolve(false);
      }),
      // A blocking call on a broken connection never returns.
      new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), WAIT_SEC * 1_000 + 1_000);
      }),
    ]);
    clearTimeout(timer);
    interrupt = () => {};
    if (!isSettled) waiter.disconnect(state !== "stopped");
  }

  async function run(): Promise<void> {
    while (state !== "stopped") {
      if (state === "paused" || !hasRoom() || queues.length === 0) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        continue;
      }
      try {
        if (!(await takeOne()) && state === "taking") await waitForMessages();
      } catch (error) {
        logger.debug({ error: toError(error).message }, "consuming from the broker failed; retrying");
        await sleep(RETRY_MS);
      }
    }
  }

  async function renew(): Promise<void> {
    const marks = client.pipeline();
    if (state === "taking") for (const queue of queues) marks.set(keys.served(queue), "1", "PX", Math.ceil(leaseMs));
    await quietly(marks.exec(), "the broker was not told which queues are served");
    for (const [queue, source] of sources) {
      const ids = [...inHand].flatMap(([id, job]) => (job.queueName === queue ? [id] : []));
      if (ids.length === 0) continue;
      const lost = await source
        .extendJobLocks(
          ids,
          ids.map(() => token),
          leaseMs,
        )
        .catch((error) => {
          logger.warn(
            { queue, messages: ids.length, error: toError(error).message },
            "the lease of messages could not be renewed",
          );
          return [];
        });
      if (lost.length > 0)
        logger.warn(
          { queue, ids: lost },
          "the lease of messages has expired; another worker may get them, and is refused those that have started",
        );
    }
  }

  async function setQueues(next: readonly string[]): Promise<void> {
    for (const queue of next) await sourceOf(queue);
    queues = [...next];
    await renew();
    wake();
  }

  function wake(): void {
    goOn();
    interrupt();
  }

  await Promise.all([client.connect(), waiter.connect()]);
  await setQueues(wanted.queues);
  const renewing = startInterval(Math.max(100, leaseMs / 3), () => void renew());
  const running = run();

  return {
    setQueues,
    async setLimit(next) {
      limit = next;
      wake();
    },
    async pause() {
      if (state === "taking") state = "paused";
      wake();
    },
    async stop() {
      state = "stopped";
      wake();
      await running;
      renewing.cancel();
      for (const job of inHand.values()) await quietly(giveBack(job.queueName, job), "a message could not be given back");
      inHand.clear();
      await tellFinished();
      for (const source of sources.values()) await quietly(source.close(true), "a queue could not be closed");
      client.disconnect();
      waiter.disconnect();
    },
  };
}
