import type { Connection, JsonValue } from "../../../contracts/index.ts";
import { isSensitiveName } from "../../../task-logs/index.ts";
import type { OutputOptions } from "../flags.ts";

export type ShowOptions = OutputOptions & { showSecrets: boolean };

export const CONNECTION_COLUMNS = [
  "conn_id",
  "conn_type",
  "description",
  "host",
  "schema",
  "login",
  "password",
  "port",
  "extra_dejson",
  "source",
];

const HIDDEN = "***";

export function connectionRow(connection: Connection, source: "database" | "environment", showSecrets: boolean) {
  const { password, extra } = connection;
  return {
    conn_id: connection.connId,
    conn_type: connection.connType,
    description: connection.description,
    host: connection.host,
    schema: connection.schema,
    login: connection.login,
    password: password === null || showSecrets ? password : HIDDEN,
    port: connection.port,
    extra_dejson: showSecrets ? extra : hideSensitive(extra),
    source,
  };
}

/** At every depth: the whole value of a sensitive name is hidden. */
function hideSensitive(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(hideSensitive);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isSensitiveName(name) ? HIDDEN : hideSensitive(inner)]),
  );
}
