import { loadConfig, sensitiveNames } from "../../../config/index.ts";
import type { Connection, JsonValue } from "../../../contracts/index.ts";
import { createNameRule, HIDDEN, hideInText, hideSecrets } from "../../../platform/index.ts";
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

export type ConnectionRow = (connection: Connection, source: "database" | "environment") => Record<string, JsonValue>;

/** Secrets are hidden by the same rule as in the API and in logs. */
export function createConnectionRow(showSecrets: boolean): ConnectionRow {
  const rule = createNameRule(sensitiveNames(loadConfig()));
  const shown = (text: string | null) => (showSecrets ? text : text && hideInText(text, rule));
  return ({ password, extra, ...connection }, source) => ({
    conn_id: connection.connId,
    conn_type: connection.connType,
    description: shown(connection.description),
    host: shown(connection.host),
    schema: shown(connection.schema),
    login: shown(connection.login),
    password: password === null || showSecrets ? password : HIDDEN,
    port: connection.port,
    extra_dejson: showSecrets ? extra : hideSecrets(extra, rule),
    source,
  });
}
