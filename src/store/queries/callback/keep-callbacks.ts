import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { ASIDE_RUNS, type Only } from "../set-aside/scope.ts";

const insert = {
  name: "insert-callback",
  text: `
with owed as (
  insert into callback_request (dag_run_id, data, module_hash) select $1, $3, v.module_hash from dag_version v where v.id = $2
  returning 1
)
select pg_notify('baram_scheduler', 'callback') from owed`,
};

/** A callback that the platform owes; the scheduler hands it to an executor. */
export async function insertCallback(tx: Db, callback: { dagRunId: number; versionId: string; data: JsonObject }): Promise<void> {
  await tx.query(insert, [callback.dagRunId, callback.versionId, JSON.stringify(callback.data)]);
}

export type QueuedCallback = { id: string; moduleHash: string; dagId: string; runId: string };

const queue = { name: "queue-callbacks", text: queueText(`dag_run_id <> all(${ASIDE_RUNS})`) };
/** $3 = the runs whose callbacks are meant. */
const queueAmong = {
  name: "queue-callbacks-among",
  text: queueText(`dag_run_id <> all(${ASIDE_RUNS}) and dag_run_id = any($3::bigint[])`),
};

function queueText(isMeant: string): string {
  return `
with open as (
  select id from callback_request where state = 'scheduled' and ${isMeant} order by created_at limit $1 for update skip locked
)
update callback_request c set state = 'queued', queued_by_job_id = $2, attempts = c.attempts + 1, updated_at = now()
  from open, dag_run r where c.id = open.id and r.id = c.dag_run_id
returning c.id, c.module_hash as "moduleHash", r.dag_id as "dagId", r.run_id as "runId"`;
}

export async function queueCallbacks(db: Db, limit: number, jobId: number, only: Only = null): Promise<QueuedCallback[]> {
  if (only !== null) return (await db.query<QueuedCallback>(queueAmong, [limit, jobId, only])).rows;
  return (await db.query<QueuedCallback>(queue, [limit, jobId])).rows;
}

/** Requeues callbacks whose scheduler or worker is gone; after three attempts they fail. */
const isLost = `c.state in ('queued', 'running')
   and (c.updated_at < now() - make_interval(secs => $1)
        or not exists (select 1 from job j where j.id = c.queued_by_job_id and j.state = 'running'))`;

/** $1 = seconds, $2 = ids (null = all). */
const recover = {
  name: "recover-callbacks",
  text: `
update callback_request c set state = case when c.attempts >= 3 then 'failed' else 'scheduled' end, updated_at = now()
 where ${isLost} and ($2::uuid[] is null or c.id = any($2))`,
};

export async function recoverCallbacks(db: Db, silentForSec: number, ids: readonly string[] | null = null): Promise<void> {
  await db.query(recover, [silentForSec, ids]);
}

const lost = { name: "lost-callbacks", text: `select c.id from callback_request c where ${isLost} order by c.id` };

/** Those that `recoverCallbacks` means. */
export async function lostCallbacks(db: Db, silentForSec: number): Promise<string[]> {
  return (await db.query<{ id: string }>(lost, [silentForSec])).rows.map(({ id }) => id);
}

const end = {
  name: "end-callback",
  text: "update callback_request set state = $2, updated_at = now() where id = $1 and state in ('queued', 'running')",
};

/** Returns false if the callback was no longer open. */
export async function endCallback(db: Db, id: string, state: "success" | "failed"): Promise<boolean> {
  return (await db.query(end, [id, state])).rowCount === 1;
}

const start = {
  name: "start-callback",
  text: `update callback_request set state = 'running', updated_at = now() where id = $1 and state in ('queued', 'running') returning dag_run_id as "dagRunId", data`,
};

export async function startCallback(db: Db, id: string): Promise<{ dagRunId: number; data: JsonObject } | null> {
  return (await db.query<{ dagRunId: number; data: JsonObject }>(start, [id])).rows[0] ?? null;
}

const release = {
  name: "release-callbacks",
  text: `update callback_request set state = case when attempts >= 3 then 'failed' else 'scheduled' end, updated_at = now()
          where id = any($1::uuid[]) and state in ('queued', 'running')`,
};

/** Requeues callbacks that their executor did not finish; after three attempts they fail. Ids that are no callbacks are ignored. */
export async function releaseCallbacks(db: Db, ids: readonly string[]): Promise<void> {
  await db.query(release, [ids]);
}
