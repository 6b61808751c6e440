import type { Connection } from "../contracts/index.ts";
import { parseConnection } from "./connection-uri.ts";

/**
 * Connections and variables from the environment: BARAM_CONN_<ID> and BARAM_VAR_<KEY>, upper case, as in Airflow. They override
 * the database.
 */
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

/**
 * The environment for processes that run user code: without Baram's own settings and secrets, and without Node's debug switches.
 */
export function environmentForUserCode(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !name.startsWith("BARAM_") && name !== "NODE_OPTIONS") kept[name] = value;
  }
  return kept;
}

/** The workload with which a container was started: BARAM_WORKLOAD; null = none. */
export function workloadFromEnvironment(environment: Readonly<Record<string, string | undefined>> = process.env): string | null {
  return environment.BARAM_WORKLOAD || null;
}

/** The endpoint of AWS services, from the variables that the AWS SDKs read; null = AWS itself. */
export function awsEndpoint(
  service: "s3",
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | null {
  return environment[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] || environment.AWS_ENDPOINT_URL || null;
}

/** The mark with which this process was started, to be passed on; empty if there is none. */
export function markOfThisProcess(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}
