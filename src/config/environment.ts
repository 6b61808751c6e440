import type { Connection } from "../contracts/index.ts";
import { parseConnection } from "./connection-uri.ts";

/** Connections and variables from the environment: BARAM_CONN_<ID> and BARAM_VAR_<KEY>, upper case, as in Airflow. They win over the database. */
export type EnvironmentSecrets = { connection(connId: string): Connection | null; variable(key: string): string | null };

export function environmentSecrets(environment: Readonly<Record<string, string | undefined>> = process.env): EnvironmentSecrets {
  return {
    connection(connId) {
      const text = environment[`BARAM_CONN_${connId.toUpperCase()}`];
      return text ? parseConnection(connId, text) : null;
    },
    variable: (key) => environment[`BARAM_VAR_${key.toUpperCase()}`] ?? null,
  };
}
