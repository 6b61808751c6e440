import { BaramError } from "../../platform/index.ts";

const PORTS = { "redis:": 6379, "rediss:": 6379, "amqp:": 5672, "amqps:": 5671 } as const;
const SENTINEL_SCHEMES = {
  "redis+sentinel:": { isTls: false },
  "rediss+sentinel:": { isTls: true },
  "sentinel:": { isTls: false },
} as const;
const SENTINEL_PORT = 26_379;
const CLUSTER_SCHEMES = /^(rediss?[+-])?cluster:$|^rediss?-cluster:$/;

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
  /** Redis Sentinels that know the primary's address, which is then neither `host` nor `port`; null = none. */
  sentinel: { hosts: { host: string; port: number }[]; service: string; user: string; password: string } | null;
  /** The URL without passwords, for messages. */
  shown: string;
};

/** Throws `broker_url_invalid`, never with the password in it. */
export function readBrokerUrl(text: string): BrokerAddress {
  const scheme = /^([a-z+-]+:)\/\//i.exec(text)?.[1]?.toLowerCase() ?? "";
  if (CLUSTER_SCHEMES.test(scheme))
    throw invalid(
      `starts with "${scheme}//"; Redis Cluster is not supported. Use a Redis without cluster mode (redis://… or rediss://…, on ElastiCache "cluster mode disabled"), Redis Sentinel (redis+sentinel://…) or RabbitMQ (amqp://…).`,
      { scheme },
    );
  const isSentinel = Object.hasOwn(SENTINEL_SCHEMES, scheme);
  return isSentinel ? readSentinelUrl(text, scheme as keyof typeof SENTINEL_SCHEMES) : readOneHost(text);
}

function readOneHost(text: string): BrokerAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = url && Object.hasOwn(PORTS, url.protocol) ? (url.protocol as keyof typeof PORTS) : null;
  if (!url || !scheme || url.hostname === "") {
    const what = url ? `starts with "${url.protocol}//${url.hostname}"` : "is no URL";
    throw invalid(
      `${what}; it must be like redis://user:password@host:6379/0, rediss://…, redis+sentinel://user:password@host:26379,host2:26379/service, amqp://user:password@host:5672/vhost or amqps://…. Special characters of a password are written as %XX.`,
      {},
    );
  }
  const kind = scheme.startsWith("redis") ? "redis" : "rabbitmq";
  const space = decode(url.pathname.slice(1), "path");
  if (kind === "redis") checkDatabase(space);
  return {
    kind,
    isTls: scheme === "rediss:" || scheme === "amqps:",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORTS[scheme] : Number(url.port),
    user: decode(url.username, "user"),
    password: decode(url.password, "password"),
    space,
    sentinel: null,
    shown: `${scheme}//${url.username ? `${url.username}:***@` : url.password ? "***@" : ""}${url.host}${url.pathname}`,
  };
}

/** With several hosts between commas, which the standard's URLs cannot have. */
function readSentinelUrl(text: string, scheme: keyof typeof SENTINEL_SCHEMES): BrokerAddress {
  const how = `it must be like ${scheme}//user:password@host:${SENTINEL_PORT},host2:${SENTINEL_PORT}/service/0, where service is the name under which the Sentinels monitor the primary. Special characters of a password are written as %XX.`;
  const [, login = "", hostList = "", path = "", query = ""] =
    /^[^/]*\/\/(?:([^@/]*)@)?([^@/?]+)\/([^?]*)(?:\?(.*))?$/.exec(text) ?? [];
  const [service = "", space = "", ...rest] = path.split("/");
  const hosts = hostList.split(",").map((one) => {
    const url = URL.canParse(`redis://${one}`) ? new URL(`redis://${one}`) : null;
    return { host: url?.hostname.replace(/^\[|\]$/g, "") ?? "", port: Number(url?.port || SENTINEL_PORT) };
  });
  if (service === "" || rest.length > 0 || hosts.some(({ host }) => host === ""))
    throw invalid(`is no URL of Redis Sentinel; ${how}`, {});
  checkDatabase(space);
  const options = new URLSearchParams(query);
  for (const name of options.keys())
    if (name !== "sentinel_user" && name !== "sentinel_password")
      throw invalid(`has the parameter "${name}"; only sentinel_user and sentinel_password are known.`, { name });
  const [user = "", ...password] = login.split(":");
  return {
    kind: "redis",
    isTls: SENTINEL_SCHEMES[scheme].isTls,
    host: hosts[0]?.host ?? "",
    port: hosts[0]?.port ?? SENTINEL_PORT,
    user: decode(user, "user"),
    password: decode(password.join(":"), "password"),
    space,
    sentinel: {
      hosts,
      service: decode(service, "service"),
      user: options.get("sentinel_user") ?? "",
      password: options.get("sentinel_password") ?? "",
    },
    shown: `${scheme}//${login === "" ? "" : `${user}:***@`}${hostList}/${path}`,
  };
}

function checkDatabase(path: string): void {
  if (!/^\d{0,4}$/.test(path))
    throw invalid(`names the database "${path}"; a database of Redis is a number, like redis://host:6379/0.`, { path });
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`has a ${part} with a "%" that is not followed by two hexadecimal digits; write "%" as %25.`, { part });
  }
}

function invalid(what: string, facts: Record<string, unknown>): BaramError {
  return new BaramError("broker_url_invalid", `[queue] broker_url ${what}`, facts);
}

/** Removes the passwords from a library's message. */
export function withoutPassword(message: string, { password, sentinel }: BrokerAddress): string {
  let text = message;
  for (const secret of [password, sentinel?.password ?? ""])
    if (secret !== "") text = text.replaceAll(secret, "***").replaceAll(encodeURIComponent(secret), "***");
  return text;
}
