import { Redis, type RedisOptions } from "ioredis";
import { BaramError, type Logger, toError } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import { type BrokerAddress, withoutPassword } from "./broker-url.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MAX_MS = 2_000;
/** The first version with BLMOVE and LPOS, which BullMQ's scripts use. */
const VERSION_MIN = [6, 2] as const;

/**
 * `publish`: commands fail if the server is away and does not come back at once. `take`: commands wait for the server without
 * limit. `wait`: for the blocking call; one that was cut off is not sent again, since nothing awaits it any more.
 */
export type RedisUse = "publish" | "take" | "wait";

export function createRedisClient(address: BrokerAddress, options: BrokerOptions, use: RedisUse, logger: Logger): Redis {
  const { ca, cert, key } = options.tls;
  const settings: RedisOptions = {
    host: address.host,
    port: address.port,
    username: address.user || undefined,
    password: address.password || undefined,
    db: Number(address.space || "0"),
    tls: address.isTls ? { ca: ca ?? undefined, cert: cert ?? undefined, key: key ?? undefined } : undefined,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: use === "take" ? null : 1,
    autoResendUnfulfilledCommands: use !== "wait",
    retryStrategy: (attempt) => Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6)),
  };
  const client = new Redis(settings);
  let isAway = false;
  client.on("error", (error: Error) => {
    // Logged once per outage: the client retries several times a second.
    if (isAway) return;
    isAway = true;
    logger.warn({ broker: address.shown, error: withoutPassword(error.message, address) }, "the broker is away");
  });
  client.on("ready", () => {
    if (isAway) logger.info({ broker: address.shown }, "the broker is back");
    isAway = false;
  });
  return client;
}

/**
 * Connects once to check whether the server can be used. Rejects with `broker_unreachable`, `broker_refused` or `broker_too_old`.
 */
export async function checkRedis(address: BrokerAddress, options: BrokerOptions, logger: Logger): Promise<void> {
  const probe = createRedisClient(address, options, "publish", logger.child({ probe: true }));
  probe.options.retryStrategy = () => null;
  let first: Error | null = null;
  probe.removeAllListeners("error");
  probe.on("error", (error: Error) => {
    first ??= error;
  });
  try {
    await probe.connect();
    // An ACL that allows the prefix's keys covers all other permissions that publishing needs.
    await probe.set(`${options.prefix}:probe`, "1", "PX", 1_000);
    await checkVersion(probe, address);
  } catch (error) {
    throw error instanceof BaramError ? error : explain(first ?? toError(error), address);
  } finally {
    probe.disconnect();
  }
}

async function checkVersion(probe: Redis, address: BrokerAddress): Promise<void> {
  // Some hosts forbid INFO; then a too old server shows at the first publish.
  const version = tooOldVersion(await probe.info("server").catch(() => ""));
  if (version !== null)
    throw new BaramError(
      "broker_too_old",
      `The broker ${address.shown} is Redis ${version}; the queue executor needs Redis ${VERSION_MIN.join(".")} or newer.`,
      { broker: address.shown, version },
    );
}

/** The version in an answer to INFO, if it is older than what is needed; else null. */
export function tooOldVersion(info: string): string | null {
  const [, version, major, minor] = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info) ?? [];
  if (version === undefined || Number(major) > VERSION_MIN[0]) return null;
  return Number(major) === VERSION_MIN[0] && Number(minor) >= VERSION_MIN[1] ? null : version;
}

function explain(error: Error, address: BrokerAddress): BaramError {
  const message = withoutPassword(error.message, address);
  const facts = { broker: address.shown };
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password|without any password|DENIED/i.test(message))
    return new BaramError(
      "broker_refused",
      `The broker ${address.shown} does not let us in: ${message}. Check user, password and rights in [queue] broker_url; the user needs every command on keys and channels that start with [queue] key_prefix.`,
      facts,
    );
  return new BaramError(
    "broker_unreachable",
    `The broker ${address.shown} cannot be reached: ${message}. Check [queue] broker_url, and that Redis runs there.`,
    facts,
  );
}
