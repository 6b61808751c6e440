import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Db } from "../../../src/store/index.ts";
import {
  type History,
  type InstanceRow,
  instanceKey,
  type OwedCallback,
  type PastTry,
  type PoolChange,
  type RunRow,
  type RunTransition,
  type TraceLine,
  type Transition,
  type XcomRow,
} from "./history.ts";

const RUN = `dag_id || '/' || run_id as run`;
const INSTANCE = `dag_id || '/' || run_id || '/' || task_id || '[' || map_index || ']' as instance`;

export type Observed = Pick<History, "acknowledged" | "acknowledgedRuns" | "samples" | "serverLog">;

/** Reads all data of the checker from a database with the recorder in it. */
export async function readHistory(
  db: Db,
  files: { trace: string; logFolder: string | null },
  observed: Observed,
): Promise<History> {
  const transitions = await db.query<Transition>(
    `select seq, extract(epoch from at)::float8 * 1000 as "atMs", txid, ${RUN}, ${INSTANCE}, task_id as "taskId", old_id as "oldId", new_id as "newId",
            old_state as "from", new_state as "to", try_number as "tryNumber", pool, pool_slots as "poolSlots", job_id as "jobId"
       from chaos.transition order by seq`,
  );
  const runTransitions = await db.query<RunTransition>(
    `select seq, extract(epoch from at)::float8 * 1000 as "atMs", ${RUN}, dag_id as "dagId", old_state as "from", new_state as "to" from chaos.run_transition order by seq`,
  );
  const poolChanges = await db.query<PoolChange>(
    `select seq, pool, slots, include_deferred as "includeDeferred" from chaos.pool_change order by seq`,
  );
  const instances = await db.query<InstanceRow & { logPath: string }>(
    `select ${RUN}, ${INSTANCE}, task_id as "taskId", id, state, try_number as "tryNumber", max_tries as "maxTries" from task_instance`,
  );
  const pastTries = await db.query<PastTry>(
    `select ${RUN}, ${INSTANCE}, id, try_number as "tryNumber", state, reason from task_instance_history order by try_number`,
  );
  const runs = await db.query<RunRow>(
    `select ${RUN}, dag_id as "dagId", run_type as "runType", state, extract(epoch from logical_date)::float8 * 1000 as "logicalDateMs",
            extract(epoch from end_date)::float8 * 1000 as "endMs" from dag_run order by dag_id, logical_date`,
  );
  const xcoms = await db.query<XcomRow>(
    `select r.dag_id || '/' || r.run_id || '/' || x.task_id || '[' || x.map_index || ']' as instance, x.key, x.value
       from xcom x join dag_run r on r.id = x.dag_run_id`,
  );
  const owed = await db.query<OwedCallback>(
    `select r.dag_id || '/' || r.run_id as run, c.state from callback_request c join dag_run r on r.id = c.dag_run_id where c.data ->> 'kind' = 'dag'`,
  );
  const trace = readLines<TraceLine>(files.trace);
  return {
    transitions: transitions.rows,
    runTransitions: runTransitions.rows,
    poolChanges: poolChanges.rows,
    instances: instances.rows,
    pastTries: pastTries.rows,
    runs: runs.rows,
    xcoms: xcoms.rows,
    trace,
    clockOffsetMs: await measureClockOffset(db),
    owedCallbacks: owed.rows,
    callbacksRun: readLines<{ run: string }>(callbackTraceOf(files.trace)).map((line) => line.run),
    logs: files.logFolder === null ? new Map() : readLogs(files.logFolder, trace),
    ...observed,
  };
}

/** Each measurement is off by at most half of its round trip; the quickest of several is used. */
async function measureClockOffset(db: Db): Promise<number> {
  let best = { tookMs: Number.POSITIVE_INFINITY, offsetMs: 0 };
  const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;
  for (let look = 0; look < 5; look++) {
    const before = monotonicMs();
    const { rows } = await db.query<{ ms: number }>("select extract(epoch from clock_timestamp())::float8 * 1000 as ms");
    const after = monotonicMs();
    if (after - before < best.tookMs) best = { tookMs: after - before, offsetMs: (rows[0]?.ms ?? 0) - (before + after) / 2 };
  }
  return best.offsetMs;
}

/** A file next to the tasks' trace. */
export function callbackTraceOf(trace: string): string {
  return `${trace}.callbacks`;
}

/** A partial last line (of a process that was killed while it wrote) would be a fault of the rig: it throws. */
function readLines<T>(path: string): T[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

function readLogs(folder: string, trace: readonly TraceLine[]): Map<string, string> {
  const logs = new Map<string, string>();
  for (const line of trace) {
    const key = `${instanceKey(`${line.dag}/${line.run}`, line.task, line.mapIndex)}#${line.tryNumber}`;
    if (logs.has(key)) continue;
    const mapped = line.mapIndex >= 0 ? `/map_index=${line.mapIndex}` : "";
    const path = join(
      folder,
      `dag_id=${line.dag}/run_id=${line.run}/task_id=${line.task}${mapped}/attempt=${line.tryNumber}.log`,
    );
    if (existsSync(path)) logs.set(key, readFileSync(path, "utf8"));
  }
  return logs;
}
