import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type TryFacts = {
  id: string;
  dagRunId: number;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  state: TaskInstanceState | null;
  tryNumber: number;
  maxTries: number;
  queueAttempts: number;
  versionId: string;
  moduleHash: string;
  executor: string;
  hostname: string | null;
  pid: number | null;
  silentForSec: number | null;
};

const columns = `ti.id, ti.dag_run_id as "dagRunId", ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex",
  ti.state, ti.try_number as "tryNumber", ti.max_tries as "maxTries", ti.queue_attempts as "queueAttempts", ti.dag_version_id as "versionId",
  v.module_hash as "moduleHash", ti.executor, ti.hostname, ti.pid,
  extract(epoch from now() - coalesce(ti.last_heartbeat_at, ti.queued_dttm))::float8 as "silentForSec"
  from task_instance ti join dag_version v on v.id = ti.dag_version_id`;

const byIds = { name: "tries-by-ids", text: `select ${columns} where ti.id = any($1::uuid[])` };
/** Limit of one batch. */
export const TRIES_MAX = 200;
/** Lower than any id. */
const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/** $1 = seconds, $2 = the id they come after. Any scheduler may find any silent try, whoever queued it. */
const silent = {
  name: "silent-tries",
  text: `select ${columns} where ti.state in ('running', 'restarting') and ti.last_heartbeat_at < now() - make_interval(secs => $1) and ti.id > $2 order by ti.id limit ${TRIES_MAX}`,
};
const stuck = {
  name: "stuck-tries",
  text: `select ${columns} where ti.state = 'queued' and ti.queued_dttm < now() - make_interval(secs => $1) and ti.id > $2 order by ti.id limit ${TRIES_MAX}`,
};

export async function triesByIds(db: Db, ids: readonly string[]): Promise<TryFacts[]> {
  return (await db.query<TryFacts>(byIds, [ids])).rows;
}

/** $1 = executor, $2 = ids. A callback has no executor of its own. */
const ended = {
  name: "ended-tries",
  text: `
select asked.id from unnest($2::uuid[]) as asked(id)
 where not exists (select 1 from task_instance ti
                    where ti.id = asked.id and ti.executor = $1 and ti.state in ('queued', 'running', 'restarting'))
   and not exists (select 1 from callback_request c where c.id = asked.id and c.state in ('queued', 'running'))`,
};

/** Those of the ids that are no open try of this executor, and no open callback. An id that was given up is unknown, and so ended. */
export async function endedTries(db: Db, executor: string, ids: readonly string[]): Promise<string[]> {
  return (await db.query<{ id: string }>(ended, [executor, ids])).rows.map(({ id }) => id);
}

/** `TRIES_MAX` at most, in the order of their ids. */
export async function silentTries(db: Db, silentForSec: number, after = FIRST_ID): Promise<TryFacts[]> {
  return (await db.query<TryFacts>(silent, [silentForSec, after])).rows;
}

/** `TRIES_MAX` at most, in the order of their ids. */
export async function stuckTries(db: Db, queuedForSec: number, after = FIRST_ID): Promise<TryFacts[]> {
  return (await db.query<TryFacts>(stuck, [queuedForSec, after])).rows;
}
