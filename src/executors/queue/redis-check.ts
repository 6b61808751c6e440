import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { BaramError, type Logger, toError } from "../../platform/index.ts";
import { within } from "../within.ts";
import type { BrokerOptions } from "./broker.ts";
import { type BrokerAddress, withoutPassword } from "./broker-url.ts";
import { isReadOnly, isReplica, type RedisFacts, redisSettings } from "./redis-client.ts";
import { redisKeys } from "./redis-keys.ts";

/** The first version with BLMOVE and LPOS, which BullMQ's scripts use. */
const VERSION_MIN = [6, 2] as const;
const LEASE_MS = 10_000;

/** `right`: what a user needs for it, as in ACL SETUSER. */
type Step = { right: string; work(): Promise<unknown> };

/**
 * Does once, with a queue of its own, everything that schedulers and workers do later, so that a missing right is known at the start
 * and not at the first task. Rejects with `broker_unreachable`, `broker_refused` or `broker_too_old`.
 */
export async function checkRedis(address: BrokerAddress, options: BrokerOptions, logger: Logger): Promise<RedisFacts> {
  const clients: Redis[] = [];
  let first: Error | null = null;
  const open = () => {
    const client = new Redis({
      ...redisSettings(address, options, "take"),
      // Sent by the steps, which explain a refusal; the library would print lines of its own.
      username: undefined,
      password: undefined,
      db: 0,
      enableReadyCheck: false,
      retryStrategy: () => null,
      sentinelRetryStrategy: () => null,
    });
    const note = (error: Error) => {
      first ??= error;
    };
    client.on("error", note).on("sentinelError", note);
    clients.push(client);
    return client;
  };
  try {
    const probe = open();
    await probe.connect();
    const facts: RedisFacts = { asksForPassword: await logIn(probe, address, logger), mayInfo: true, mayUseChannels: true };
    await select(probe, address, options);
    facts.mayInfo = await checkServer(probe, address, logger);
    for (const step of storageSteps(probe, options.prefix)) await take(step, address, options);
    facts.mayUseChannels = await checkChannels(probe, open(), address, options, facts, logger);
    return facts;
  } catch (error) {
    throw error instanceof BaramError ? error : explain(first ?? toError(error), address);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

/** Whether the server wants a password. A password that it does not want is accepted, as its other clients do. */
async function logIn(client: Redis, { user, password, shown }: BrokerAddress, logger: Logger | null): Promise<boolean> {
  if (password === "" && user === "") return true;
  try {
    await client.call("AUTH", ...(user === "" ? [password] : [user, password]));
    return true;
  } catch (error) {
    if (!/no password is set|without any password configured/.test(toError(error).message)) throw error;
    logger?.warn({ broker: shown }, "the broker asks for no password, though [queue] broker_url has one: everyone can use it");
    return false;
  }
}

async function select(client: Redis, address: BrokerAddress, options: BrokerOptions): Promise<void> {
  const database = Number(address.space || "0");
  // Always allowed in 7.0, and a right of its own in 6.2.
  if (database !== 0) await take({ right: "+select", work: () => client.select(database) }, address, options);
}

/** Whether the user may ask for the server's facts; those that it tells are checked. */
async function checkServer(client: Redis, address: BrokerAddress, logger: Logger): Promise<boolean> {
  const broker = address.shown;
  let info: string;
  try {
    info = await client.info();
  } catch (error) {
    if (!isRefusal(toError(error))) throw error;
    logger.warn(
      { broker },
      "the broker does not let us read INFO: its version and its maxmemory-policy are not checked. The policy must be noeviction, or it deletes tasks that wait. Grant +info to check it.",
    );
    return false;
  }
  const version = tooOldVersion(info);
  if (version !== null)
    throw new BaramError(
      "broker_too_old",
      `The broker ${broker} is Redis ${version}; the queue executor needs Redis ${VERSION_MIN.join(".")} or newer.`,
      { broker, version },
    );
  if (/^redis_mode:cluster/m.test(info))
    throw new BaramError(
      "broker_url_invalid",
      `[queue] broker_url is ${broker}, which runs in cluster mode; Redis Cluster is not supported. Use a Redis without cluster mode (on ElastiCache "cluster mode disabled"), Redis Sentinel (redis+sentinel://…) or RabbitMQ (amqp://…).`,
      { broker },
    );
  if (isReplica(info)) throw replicaRefusal(broker, "");
  const policy = evictingPolicy(info);
  if (policy !== null)
    logger.warn(
      { broker, policy },
      `the broker's maxmemory-policy is ${policy}: when its memory is full, it deletes tasks that wait, and they are queued again late. Set it to noeviction.`,
    );
  return true;
}

/** The version in an answer to INFO, if it is older than what is needed; else null. */
export function tooOldVersion(info: string): string | null {
  const [, version, major, minor] = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info) ?? [];
  if (version === undefined || Number(major) > VERSION_MIN[0]) return null;
  return Number(major) === VERSION_MIN[0] && Number(minor) >= VERSION_MIN[1] ? null : version;
}

/** The policy in an answer to INFO by which the server may delete keys; null = none. */
export function evictingPolicy(info: string): string | null {
  const [, policy] = /^maxmemory_policy:(\S+)/m.exec(info) ?? [];
  return policy === undefined || policy === "noeviction" ? null : policy;
}

/** First one simple command for each right, so that a refusal names the right; then all that a message needs. */
function storageSteps(client: Redis, prefix: string): Step[] {
  const keys = redisKeys(prefix);
  const key = `${prefix}:check:${randomUUID()}`;
  return [
    { right: "+@connection", work: () => client.ping() },
    { right: `+@write and ~${prefix}:*`, work: () => client.set(key, "1", "PX", LEASE_MS) },
    { right: `+@read and ~${prefix}:*`, work: () => client.get(key) },
    { right: "+@scripting", work: () => client.eval("return redis.call('get', KEYS[1])", 1, key) },
    { right: `+@write and ~${prefix}:*`, work: () => client.zadd(`${key}:marker`, 0, "0") },
    { right: "+@write", work: () => client.bzpopmin(`${key}:marker`, 1) },
    { right: `+@read, +@write, +@scripting and ~${prefix}:*`, work: () => passOne(client, keys.bull) },
  ];
}

/** A message's whole way: published, taken, given back, taken again, acknowledged. */
async function passOne(client: Redis, prefix: string): Promise<void> {
  const name = `check-${randomUUID()}`;
  const shared = { connection: client, prefix, skipVersionCheck: true };
  const queue = new Queue(name, shared);
  const source = new Worker(name, null, { ...shared, autorun: false, lockDuration: LEASE_MS });
  queue.on("error", () => {});
  source.on("error", () => {});
  const token = randomUUID();
  try {
    await queue.addBulk([{ name, data: {}, opts: { jobId: name, priority: 1, removeOnComplete: true } }]);
    await source.startStalledCheckTimer();
    const given = await source.getNextJob(token, { block: false });
    await given?.moveToWait(token);
    const job = await source.getNextJob(token, { block: false });
    await source.extendJobLocks([name], [token], LEASE_MS);
    await job?.moveToCompleted(null, token, false);
    await queue.getJobCounts("waiting", "prioritized", "delayed", "active");
    await queue.remove(name);
  } finally {
    await queue.obliterate({ force: true }).catch(() => {});
    await source.close(true).catch(() => {});
    await queue.close().catch(() => {});
  }
}

/** Whether ends can be told over a channel; without that right they are looked up. */
async function checkChannels(
  client: Redis,
  subscriber: Redis,
  address: BrokerAddress,
  options: BrokerOptions,
  { asksForPassword }: RedisFacts,
  logger: Logger,
): Promise<boolean> {
  const { ends } = redisKeys(options.prefix);
  await subscriber.connect();
  if (asksForPassword) await logIn(subscriber, address, null);
  try {
    await within(subscriber.subscribe(ends), options.operationTimeoutMs, "subscribing");
    // No id: others that listen ignore it.
    await within(client.publish(ends, ""), options.operationTimeoutMs, "publishing");
    return true;
  } catch (error) {
    if (!isRefusal(toError(error))) throw error;
    logger.warn(
      { broker: address.shown, error: withoutPassword(toError(error).message, address) },
      `the broker does not let us use channels: the ends of tasks are looked up several times a second instead of being told. Grant &${options.prefix}:* +publish +subscribe to make this cheaper.`,
    );
    return false;
  }
}

async function take({ right, work }: Step, address: BrokerAddress, options: BrokerOptions): Promise<void> {
  try {
    await within(work(), options.operationTimeoutMs, "the check at the start");
  } catch (error) {
    if (!isRefusal(toError(error))) throw error;
    const user = address.user || "default";
    const message = withoutPassword(toError(error).message, address);
    throw new BaramError(
      "broker_refused",
      `The broker ${address.shown} does not let the user "${user}" do what is needed; the missing right is ${right}: ${message}. Grant all that Baram needs with: ACL SETUSER ${user} ${leastRedisRights(options.prefix)}`,
      { broker: address.shown, right },
      error,
    );
  }
}

/** As in ACL SETUSER, and as docs/executors/queue.md names them. */
function leastRedisRights(prefix: string): string {
  return `~${prefix}:* resetchannels &${prefix}:* +@read +@write +@scripting +@connection +select +publish +subscribe +info`;
}

function isRefusal(error: Error): boolean {
  return /NOPERM|no permissions to|can't run this command|can't access at least one/i.test(error.message);
}

function replicaRefusal(broker: string, said: string): BaramError {
  return new BaramError(
    "broker_refused",
    `The broker ${broker} is a read-only replica${said}. Write the address of the primary into [queue] broker_url, on ElastiCache the primary endpoint.`,
    { broker },
  );
}

function explain(error: Error, address: BrokerAddress): BaramError {
  const message = withoutPassword(error.message, address);
  const broker = address.shown;
  if (isReadOnly(error)) return replicaRefusal(broker, `: ${message}`);
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password|DENIED/i.test(message))
    return new BaramError(
      "broker_refused",
      `The broker ${broker} rejects the login: ${message.replace(/\.+$/, "")}. Check user and password in [queue] broker_url.`,
      { broker },
    );
  const { sentinel } = address;
  const where = sentinel ? `that Redis Sentinels run there and monitor "${sentinel.service}"` : "that Redis runs there";
  return new BaramError(
    "broker_unreachable",
    `The broker ${broker} cannot be reached: ${message}. Check [queue] broker_url, and ${where}.`,
    { broker },
  );
}
