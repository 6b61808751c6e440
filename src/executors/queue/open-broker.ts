import type { Logger } from "../../platform/index.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import { readBrokerUrl } from "./broker-url.ts";

/** The broker that the URL names, not yet started. Loads only that broker's client. Throws `broker_url_invalid`. */
export async function openBroker(options: BrokerOptions, logger: Logger): Promise<Broker> {
  const address = readBrokerUrl(options.url);
  if (address.kind === "redis") return (await import("./redis-broker.ts")).createRedisBroker(address, options, logger);
  return (await import("./rabbitmq-broker.ts")).createRabbitmqBroker(address, options, logger);
}
