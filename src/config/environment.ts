import type { Connection } from "../contracts/index.ts";
import { eraseFromBlock, PROCESS_MARKS } from "../platform/index.ts";
import { parseConnection } from "./connection-uri.ts";
import { isForUserCode } from "./user-environment.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Kept by `hideEnvironment`, when `process.env` does not have it any more. */
let hidden: Environment = {};

/** The environment with which this process was started. */
export function ownEnvironment(): Environment {
  return { ...hidden, ...process.env };
}

/**
 * Hides what is not for user code from `/proc/<pid>/environ` of this process, which is the parent of user code: tasks of the same
 * user could read it there. Baram's own variables also leave `process.env`, so that no program that a package starts inherits them;
 * others stay there, since packages read them (the AWS SDK its keys). Returns false if the system does not allow it.
 */
export function hideEnvironment(isForUser: (name: string, value: string) => boolean): boolean {
  const before = ownEnvironment();
  const names = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || isForUser(name, value) || PROCESS_MARKS.includes(name) ? [] : [name],
  );
  const baramNames = names.filter((name) => name.startsWith("BARAM_"));
  hidden = { ...hidden, ...Object.fromEntries(baramNames.map((name) => [name, before[name]])) };
  for (const name of names) delete process.env[name];
  const isErased = eraseFromBlock(new Set(names));
  for (const name of names) {
    const value = before[name];
    // Now in memory that belongs to this process alone.
    if (!name.startsWith("BARAM_") && value !== undefined) process.env[name] = value;
  }
  return isErased;
}

/**
 * Connections and variables from the environment: BARAM_CONN_<ID> and BARAM_VAR_<KEY>, upper case, as in Airflow. They override
 * the database.
 */
export type EnvironmentSecrets = { connection(connId: string): Connection | null; variable(key: string): string | null };

export function environmentSecrets(environment: Environment = ownEnvironment()): EnvironmentSecrets {
  return {
    connection(connId) {
      const text = environment[`BARAM_CONN_${connId.toUpperCase()}`];
      return text ? parseConnection(connId, text) : null;
    },
    variable: (key) => environment[`BARAM_VAR_${key.toUpperCase()}`] ?? null,
  };
}

/**
 * The environment for processes that run user code: what any program needs, and what [workers] pass_environment names
 * (`passed`), without Baram's own settings and secrets and without Node's debug switches.
 */
export function environmentForUserCode(
  passed: readonly string[],
  environment: Environment = ownEnvironment(),
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && isForUserCode(name, value, passed)) kept[name] = value;
  }
  return kept;
}

/** The workload with which a container was started: BARAM_WORKLOAD; null = none. */
export function workloadFromEnvironment(environment: Environment = ownEnvironment()): string | null {
  return environment.BARAM_WORKLOAD || null;
}

/** The endpoint of AWS services, from the variables that the AWS SDKs read; null = AWS itself. */
export function awsEndpoint(service: "s3", environment: Environment = ownEnvironment()): string | null {
  return environment[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] || environment.AWS_ENDPOINT_URL || null;
}

/** The mark with which this process was started, to be passed on; empty if there is none. */
export function markOfThisProcess(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}
