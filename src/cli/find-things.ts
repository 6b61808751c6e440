import {
  CONF_MAX_BYTES,
  INSTANT_MAX_MS,
  INSTANT_MIN_MS,
  INSTANT_RULE,
  isInstantInBounds,
  isTooDeep,
  JSON_DEPTH_RULE,
  type JsonObject,
  jsonObjectSchema,
  jsonTextFault,
  type SerializedDag,
} from "../contracts/index.ts";
import { parseSerializedDag } from "../serialized/index.ts";
import { type Db, findDag, findRun, findRunByLogicalDate, findVersion, type RunFacts } from "../store/index.ts";
import { endOfSpanAt, readInstant } from "../timetables/index.ts";
import { notFound, usageError } from "./errors.ts";
import type { Session } from "./session.ts";
import { shown } from "./shown.ts";

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
  return notFound("dag", `There is no DAG ${shown(dagId)}. Run "baram dags list" to list the DAGs.`);
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
    `DAG "${dagId}" has no run with the id or the logical date ${shown(text)}${date ? `, which is ${date.toISOString()}` : ""}. See "baram dags list-runs ${dagId}".`,
  );
}

const DAY_MS = 86_400_000;

/**
 * Checks a date or time and returns its text, which is parsed when the DAG's time zone is known. The bounds are checked to the day
 * here, and exactly then. Throws `usage_invalid`, naming the flag.
 */
export function requireInstant(text: string, name: string): string {
  const ms = mustRead(text, name, "utc").getTime();
  if (ms < INSTANT_MIN_MS - DAY_MS || ms > INSTANT_MAX_MS + DAY_MS) throw outOfBounds(text, name);
  return text;
}

/** Like `requireInstant`, but parsed in a DAG's time zone. `isEnd`: a date without a time includes the whole day. */
export function instantOf(text: string, name: string, zone: string, isEnd = false): Date {
  const start = mustRead(text, name, zone);
  const instant = isEnd ? endOfSpanAt(text, zone) : start;
  if (!isInstantInBounds(start.getTime()) || !isInstantInBounds(instant.getTime())) throw outOfBounds(text, name);
  return instant;
}

function mustRead(text: string, name: string, zone: string): Date {
  const instant = readInstant(text, zone);
  if (instant) return instant;
  throw usageError(
    `${name} is ${shown(text)}, but must be a date or time, for example 2026-01-31, 2026-01-31T06:00:00Z or "2026-01-31 06:00:00+09:00".`,
  );
}

function outOfBounds(text: string, name: string) {
  return usageError(`${name} is ${shown(text)}, but ${INSTANT_RULE}.`);
}

/** Checks text from the command line with the API's limits. Throws `usage_invalid`. `what`: "The description", or the flag. */
export function requireText(text: string, what: string, max: number, min = 0): string {
  if (text.length >= min && text.length <= max && !text.includes("\0")) return text;
  if (text.includes("\0")) throw usageError(`${what} holds the character U+0000, which cannot be stored.`);
  throw usageError(`${what} has ${text.length} characters, but must have ${min === 0 ? "at most" : `${min} to`} ${max}.`);
}

/** Parses --conf, or the flag with the given name. Throws `usage_invalid` for text that is not a JSON object. */
export function readConf(text: string | undefined, flag = "--conf"): JsonObject {
  if (text === undefined) return {};
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > CONF_MAX_BYTES)
    throw usageError(
      `${flag} has ${sizeBytes} bytes, but may have ${CONF_MAX_BYTES}. Put the data elsewhere, and its place into the conf.`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`${flag} is not JSON: ${(error as Error).message}. Quote it for the shell, as in '{"name": "Ada"}'.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw usageError(`${flag} must be a JSON object, as in '{"name": "Ada"}', not ${text.slice(0, 100)}.`);
  // As in REST.
  if (isTooDeep(value)) throw usageError(`${flag} ${JSON_DEPTH_RULE}.`);
  // What JSON.parse makes of 1e999 is no number of JSON's, and would be stored as null.
  const checked = jsonObjectSchema.safeParse(value);
  if (!checked.success)
    throw usageError(`${flag} holds a number in ${placeOf(checked.error.issues[0]?.path ?? [])} that is too large to be kept.`);
  const fault = jsonTextFault(JSON.stringify(value));
  if (fault !== null) throw usageError(`${flag} holds ${fault}, and cannot be stored.`);
  return checked.data;
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "some place" : `"${path.map(String).join(".")}"`;
}
