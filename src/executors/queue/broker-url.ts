import { BaramError } from "../../platform/index.ts";

const PORTS = { "redis:": 6379, "rediss:": 6379, "amqp:": 5672, "amqps:": 5671 } as const;

export type BrokerAddress = {
  kind: "redis" | "rabbitmq";
  isTls: boolean;
  host: string;
  port: number;
  /** Empty = none given. */
  user: string;
  password: string;
  /** Number of the database, or name of the virtual host. */
  space: string;
  /** The URL without the password, for messages. */
  shown: string;
};

/** Throws `broker_url_invalid`, never with the password in it. */
export function readBrokerUrl(text: string): BrokerAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = url && Object.hasOwn(PORTS, url.protocol) ? (url.protocol as keyof typeof PORTS) : null;
  if (!url || !scheme || url.hostname === "") {
    const what = url ? `starts with "${url.protocol}//${url.hostname}"` : "is no URL";
    throw new BaramError(
      "broker_url_invalid",
      `[queue] broker_url ${what}; it must be like redis://user:password@host:6379/0, rediss://…, amqp://user:password@host:5672/vhost or amqps://…. Special characters of a password are written as %XX.`,
      {},
    );
  }
  const kind = scheme.startsWith("redis") ? "redis" : "rabbitmq";
  const path = decodeURIComponent(url.pathname.slice(1));
  if (kind === "redis" && !/^\d{0,4}$/.test(path))
    throw new BaramError(
      "broker_url_invalid",
      `[queue] broker_url names the database "${path}"; a database of Redis is a number, like redis://host:6379/0.`,
      { path },
    );
  return {
    kind,
    isTls: scheme === "rediss:" || scheme === "amqps:",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORTS[scheme] : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    space: path,
    shown: `${scheme}//${url.username ? `${url.username}:***@` : url.password ? "***@" : ""}${url.host}${url.pathname}`,
  };
}

/** Removes the password from a library's message. */
export function withoutPassword(message: string, { password }: BrokerAddress): string {
  if (password === "") return message;
  return message.replaceAll(password, "***").replaceAll(encodeURIComponent(password), "***");
}
