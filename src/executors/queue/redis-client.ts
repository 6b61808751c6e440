import { Redis, type RedisOptions } from "ioredis";
import { type Logger, toError } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import { type BrokerAddress, withoutPassword } from "./broker-url.ts";
import { createOutageLog } from "./outage-log.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MAX_MS = 2_000;

/**
 * `publish`: commands fail if the server is away and does not come back at once. `take`: commands wait for the server without
 * limit. `wait`: for the blocking call; one that was cut off is not sent again, since nothing awaits it any more.
 */
export type RedisUse = "publish" | "take" | "wait";

/** What the check at the start has found out about a server. */
export type RedisFacts = {
  /** Whether it wants the password of the URL. */
  asksForPassword: boolean;
  mayInfo: boolean;
  /** Whether the user may publish to and subscribe to channels with the prefix. */
  mayUseChannels: boolean;
};

export type RedisClients = {
  /** Not yet connected. */
  open(use: RedisUse): Redis;
  closeAll(): void;
};

export function redisSettings(address: BrokerAddress, options: BrokerOptions, use: RedisUse): RedisOptions {
  const { ca, cert, key } = options.tls;
  const tls = address.isTls ? { ca: ca ?? undefined, cert: cert ?? undefined, key: key ?? undefined } : undefined;
  const { sentinel } = address;
  return {
    ...(sentinel
      ? {
          sentinels: sentinel.hosts,
          name: sentinel.service,
          sentinelUsername: sentinel.user || undefined,
          sentinelPassword: sentinel.password || undefined,
          sentinelTLS: tls,
          enableTLSForSentinelMode: address.isTls,
          sentinelRetryStrategy: backOff,
        }
      : { host: address.host, port: address.port }),
    username: address.user || undefined,
    password: address.password || undefined,
    db: Number(address.space || "0"),
    tls,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: use === "take" ? null : 1,
    autoResendUnfulfilledCommands: use !== "wait",
    retryStrategy: backOff,
  };
}

/**
 * All connections of one process to a Redis. They survive an outage, and leave a server that has become a replica together: it
 * keeps connections open and answers reads, so that only a write tells. A new connection asks for the address again.
 */
export function createRedisClients(
  address: BrokerAddress,
  options: BrokerOptions,
  facts: RedisFacts,
  logger: Logger,
): RedisClients {
  const all = new Map<Redis, { isDemoted: boolean }>();
  const outage = createOutageLog(address.shown, logger);

  function leaveReplica(error: Error): void {
    for (const [client, state] of all) {
      outage.away(client, `it is a read-only replica now: ${withoutPassword(error.message, address)}`);
      state.isDemoted = true;
    }
    // Not the one whose answer this is: the library reconnects it itself, after it has kept the command.
    setImmediate(() => {
      for (const client of all.keys()) if (client.status === "ready") client.disconnect(true);
    });
  }

  async function noteReady(client: Redis, state: { isDemoted: boolean }): Promise<void> {
    if (state.isDemoted && facts.mayInfo) {
      const replication = await client.info("replication").catch(() => "");
      // It is left again with the next write.
      if (isReplica(replication)) return;
    }
    state.isDemoted = false;
    outage.back(client);
  }

  return {
    open(use) {
      const client = new Redis({
        ...redisSettings(address, options, use),
        ...(facts.asksForPassword ? {} : { username: undefined, password: undefined }),
        enableReadyCheck: facts.mayInfo,
        // 2 = and send the command again, which waits for a writable server; 1 = and let it fail.
        reconnectOnError(error) {
          if (!isReadOnly(error)) return false;
          leaveReplica(error);
          return use === "take" ? 2 : 1;
        },
      });
      const state = { isDemoted: false };
      all.set(client, state);
      client.on("error", (error: Error) => outage.away(client, withoutPassword(error.message, address)));
      client.on("ready", () => void noteReady(client, state));
      client.on("end", () => {
        all.delete(client);
        outage.forget(client);
      });
      return client;
    },
    closeAll() {
      for (const client of all.keys()) client.disconnect();
    },
  };
}

/** Redis 6.2 wraps the error of a script's command in one of its own. */
export function isReadOnly(error: unknown): boolean {
  return toError(error).message.includes("READONLY");
}

/** By an answer to INFO. */
export function isReplica(info: string): boolean {
  return /^role:slave/m.test(info);
}

function backOff(attempt: number): number {
  return Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6));
}
