import { type Connection, isTooDeep, JSON_DEPTH_RULE, type JsonObject } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";

/**
 * Parses a connection in Airflow's formats: a URI `type://login:password@host:port/schema?key=value` with every part
 * percent-encoded (`__extra__` contains the extras as one JSON value), or a JSON object. Throws `connection_invalid`; the message
 * never contains the text itself, which includes a password.
 */
export function parseConnection(connId: string, text: string): Connection {
  const trimmed = text.trim();
  return trimmed.startsWith("{") ? fromJson(connId, trimmed) : fromUri(connId, trimmed);
}

function fromUri(connId: string, text: string): Connection {
  const parts =
    /^([A-Za-z][A-Za-z0-9+._-]*):\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?(\[[^\]]*\]|[^:@/?#]*)(?::(\d+))?(?:\/([^?#]*))?(?:\?(.*))?$/.exec(
      text,
    );
  if (!parts)
    throw invalid(
      connId,
      "its URI is not of the form type://login:password@host:port/schema?extra=value with percent-encoded parts",
    );
  const [, type = "", login, password, host, port, schema, query] = parts;
  return {
    connId,
    connType: type.toLowerCase().replaceAll("-", "_"),
    description: null,
    host: decode(connId, host),
    schema: decode(connId, schema),
    login: decode(connId, login),
    password: decode(connId, password),
    port: port ? portOf(connId, Number(port)) : null,
    extra: query ? extraOf(connId, query) : {},
  };
}

function extraOf(connId: string, query: string): JsonObject {
  const pairs = new URLSearchParams(query);
  const whole = pairs.get("__extra__");
  if (whole !== null) return objectOf(connId, whole, "its __extra__");
  return Object.fromEntries(pairs);
}

function fromJson(connId: string, text: string): Connection {
  const object = objectOf(connId, text, "its value");
  const known: Record<string, string> = {
    conn_type: "connType",
    connType: "connType",
    description: "description",
    host: "host",
    schema: "schema",
    login: "login",
    password: "password",
    port: "port",
    extra: "extra",
  };
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    const name = known[key];
    if (!name) throw invalid(connId, `"${key}" is not a field of a connection; known: ${Object.keys(known).join(", ")}`);
    values[name] = value;
  }
  if (typeof values.connType !== "string" || values.connType === "") throw invalid(connId, "it has no conn_type");
  const text_ = (name: string): string | null => {
    const value = values[name] ?? null;
    if (value !== null && typeof value !== "string") throw invalid(connId, `${name} must be a string`);
    return value;
  };
  const extra = values.extra ?? {};
  return {
    connId,
    connType: values.connType,
    description: text_("description"),
    host: text_("host"),
    schema: text_("schema"),
    login: text_("login"),
    password: text_("password"),
    port: values.port === undefined || values.port === null ? null : portOf(connId, values.port),
    extra: objectOf(connId, typeof extra === "string" ? extra : JSON.stringify(extra), "its extra"),
  };
}

function objectOf(connId: string, text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(connId, `${what} is not a JSON object`);
  if (isTooDeep(value)) throw invalid(connId, `${what} ${JSON_DEPTH_RULE}`);
  return value as JsonObject;
}

function portOf(connId: string, given: unknown): number {
  const port = typeof given === "number" || (typeof given === "string" && /^\d+$/.test(given)) ? Number(given) : Number.NaN;
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw invalid(connId, `port ${JSON.stringify(given)?.slice(0, 60)} is not a whole number from 1 to 65535`);
}

function decode(connId: string, part: string | undefined): string | null {
  if (part === undefined || part === "") return null;
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid(connId, "a part of its URI is not percent-encoded correctly");
  }
}

function invalid(connId: string, why: string): BaramError {
  return new BaramError("connection_invalid", `Connection "${connId}" cannot be read: ${why}.`, { connId });
}
