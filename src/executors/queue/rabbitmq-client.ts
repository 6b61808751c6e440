import { Connection } from "rabbitmq-client";
import { BaramError, type Logger, toError } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import { type BrokerAddress, withoutPassword } from "./broker-url.ts";
import { createOutageLog } from "./outage-log.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MAX_MS = 2_000;

/** Connects, and reconnects by itself from then on. Rejects with `broker_unreachable` or `broker_refused`. */
export async function connectToRabbitmq(address: BrokerAddress, options: BrokerOptions, logger: Logger): Promise<Connection> {
  const { ca, cert, key } = options.tls;
  const connection = new Connection({
    hostname: address.host,
    port: address.port,
    username: address.user || "guest",
    password: address.password || "guest",
    vhost: address.space || "/",
    tls: address.isTls ? { ca: ca ?? undefined, cert: cert ?? undefined, key: key ?? undefined } : undefined,
    // Two missed in a row mean a dead peer; its messages are then delivered to another.
    heartbeat: Math.max(1, Math.floor(options.leaseSec / 2)),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    acquireTimeout: options.operationTimeoutMs,
    retryLow: 100,
    retryHigh: RECONNECT_MAX_MS,
    connectionName: `baram ${process.pid}`,
  });
  await new Promise<void>((resolve, reject) => {
    connection.once("connection", resolve);
    // The first failure rejects: at the start a user is waiting, and the library would retry for ever.
    connection.once("error", (error) => reject(explain(toError(error), address)));
  }).catch((error: unknown) => {
    connection.on("error", () => {});
    connection.unsafeDestroy();
    throw error;
  });
  const outage = createOutageLog(address.shown, logger);
  connection.on("error", (error) => {
    const message = withoutPassword(toError(error).message, address);
    // An error of a channel is told here too if nobody waits for its answer. The connection is not lost by it.
    if (connection.ready) logger.warn({ broker: address.shown, error: message }, "the broker has rejected a call");
    else outage.away(connection, message);
  });
  connection.on("connection", () => outage.back(connection));
  connection.on("connection.blocked", (reason) =>
    logger.warn({ broker: address.shown, reason }, "the broker takes no messages until it has memory and disk space again"),
  );
  connection.on("connection.unblocked", () => logger.info({ broker: address.shown }, "the broker takes messages again"));
  return connection;
}

function explain(error: Error, address: BrokerAddress): BaramError {
  const code = "code" in error ? String(error.code) : "";
  const message = withoutPassword(error.message, address) || code;
  const facts = { broker: address.shown };
  if (/ACCESS_REFUSED|NOT_ALLOWED|ACCESS-REFUSED|NOT-ALLOWED/.test(`${code} ${message}`))
    return new BaramError(
      "broker_refused",
      `The broker ${address.shown} rejects the login: ${message.replace(/\.+$/, "")}. Check user, password and virtual host in [queue] broker_url.`,
      facts,
    );
  return new BaramError(
    "broker_unreachable",
    `The broker ${address.shown} cannot be reached: ${message}. Check [queue] broker_url, and that RabbitMQ runs there.`,
    facts,
  );
}
