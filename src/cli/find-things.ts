import type { JsonObject, SerializedDag } from "../contracts/index.ts";
import { parseSerializedDag } from "../serialized/index.ts";
import { type Db, findDag, findRun, findRunByLogicalDate, findVersion, type RunFacts } from "../store/index.ts";
import { readInstant } from "../timetables/index.ts";
import { notFound, usageError } from "./errors.ts";
import type { Session } from "./session.ts";

export type FoundDag = {
  dag: SerializedDag;
  versionId: string;
  versionNumber: number;
  moduleHash: string;
  isPaused: boolean;
  isStale: boolean;
};

/** The DAG's current version. Throws `dag_not_found`. */
export async function requireDag(db: Db, dagId: string): Promise<FoundDag> {
  const facts = await findDag(db, dagId);
  const version = facts?.versionId ? await findVersion(db, facts.versionId) : null;
  if (!facts || !version) throw dagNotFound(dagId);
  const { versionId, versionNumber, moduleHash } = version;
  return {
    dag: parseSerializedDag(version.data),
    versionId,
    versionNumber,
    moduleHash,
    isPaused: facts.isPaused,
    isStale: facts.isStale,
  };
}

export function dagNotFound(dagId: string) {
  return notFound("dag", `There is no DAG "${dagId}". Run "baram dags list" to list the DAGs.`);
}

/** Finds a run by its id or its logical date. Throws `dag_not_found` and `dag_run_not_found`. */
export async function requireRun({ store }: Session, dagId: string, text: string): Promise<RunFacts> {
  const byId = await findRun(store, dagId, text);
  if (byId) return byId;
  const { dag } = await requireDag(store, dagId);
  const date = readInstant(text, dag.timezone);
  const byDate = date && (await findRunByLogicalDate(store, dagId, date));
  if (byDate) return byDate;
  throw notFound(
    "dag_run",
    `DAG "${dagId}" has no run with the id or the logical date "${text}". See "baram dags list-runs ${dagId}".`,
  );
}

/**
 * Checks a date or time and returns its text, which is parsed when the DAG's time zone is known. Throws `usage_invalid`, naming
 * the flag.
 */
export function requireInstant(text: string, name: string): string {
  if (readInstant(text, "utc")) return text;
  throw usageError(
    `${name} is "${text}", but must be a date or time, for example 2026-01-31, 2026-01-31T06:00:00Z or "2026-01-31 06:00:00+09:00".`,
  );
}

/** Parses --conf, or the flag with the given name. Throws `usage_invalid` for text that is not a JSON object. */
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
