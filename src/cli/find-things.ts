import { DateTime } from "luxon";
import type { Config } from "../config/index.ts";
import type { JsonObject, SerializedDag } from "../contracts/index.ts";
import { parseSerializedDag } from "../serialized/index.ts";
import { type Db, findDag, findRun, findRunByLogicalDate, findVersion, type RunFacts } from "../store/index.ts";
import { notFound, usageError } from "./errors.ts";
import type { Session } from "./session.ts";

export type FoundDag = { dag: SerializedDag; versionId: string; versionNumber: number; moduleHash: string; isPaused: boolean };

/** The DAG's current version. Throws `dag_not_found`. */
export async function requireDag(db: Db, dagId: string): Promise<FoundDag> {
  const facts = await findDag(db, dagId);
  const version = facts?.versionId ? await findVersion(db, facts.versionId) : null;
  if (!facts || !version) throw dagNotFound(dagId);
  const { versionId, versionNumber, moduleHash } = version;
  return { dag: parseSerializedDag(version.data), versionId, versionNumber, moduleHash, isPaused: facts.isPaused };
}

export function dagNotFound(dagId: string) {
  return notFound("dag", `There is no DAG "${dagId}". See "baram dags list" for the ones there are.`);
}

/** A run by its id or its logical date. Throws `dag_not_found` and `dag_run_not_found`. */
export async function requireRun({ store, config }: Session, dagId: string, text: string): Promise<RunFacts> {
  const byId = await findRun(store, dagId, text);
  if (byId) return byId;
  const date = readInstant(text, config);
  const byDate = date && (await findRunByLogicalDate(store, dagId, date));
  if (byDate) return byDate;
  if (!(await findDag(store, dagId))) throw dagNotFound(dagId);
  throw notFound(
    "dag_run",
    `DAG "${dagId}" has no run with the id or the logical date "${text}". See "baram dags list-runs ${dagId}".`,
  );
}

/** ISO 8601; without an offset in [core] default_timezone. Throws `usage_invalid`, naming the flag. */
export function requireInstant(text: string, name: string, config: Config): Date {
  const instant = readInstant(text, config);
  if (!instant) throw usageError(`${name} is "${text}", but must be an ISO 8601 date or time, for example 2026-01-31T06:00:00Z.`);
  return instant;
}

function readInstant(text: string, config: Config): Date | null {
  const parsed = DateTime.fromISO(text, { zone: config.core.default_timezone });
  return parsed.isValid ? parsed.toJSDate() : null;
}

/** --conf, or the flag of another name. Throws `usage_invalid` for text that is no JSON object. */
export function readConf(text: string | undefined, flag = "--conf"): JsonObject {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`${flag} is not JSON: ${(error as Error).message}. Quote it for the shell, as in '{"name": "Ada"}'.`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw usageError(`${flag} must be a JSON object, as in '{"name": "Ada"}', not ${text.slice(0, 100)}.`);
}
