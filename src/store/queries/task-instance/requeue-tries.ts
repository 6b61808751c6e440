import type { Db } from "../../store.ts";

/**
 * $1 ids, $2 what is added to the count that limits how often this happens. queued → scheduled with a new id: whoever still holds the
 * old workload can no longer start it. The try's number stays, since nothing of it ran.
 */
const requeue = {
  name: "requeue-tries",
  text: `
with held as materialized (
  select id from task_instance where id = any($1::uuid[]) and state = 'queued' order by id for update
), back as (
  update task_instance ti
     set state = 'scheduled', id = gen_random_uuid(), queued_by_job_id = null, queued_dttm = null,
         queue_attempts = ti.queue_attempts + $2::int, updated_at = now()
    from held where ti.id = held.id
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'scheduled') from (select 1 from back limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from back`,
};

export async function requeueTries(db: Db, ids: readonly string[], counted: 0 | 1 = 1): Promise<number> {
  const { rows } = await db.query<{ count: number }>(requeue, [ids, counted]);
  return rows[0]?.count ?? 0;
}

export type Orphan = {
  id: string;
  state: "queued" | "running" | "restarting";
  executor: string;
  externalExecutorId: string | null;
};

/** Limit of one batch. */
export const ORPHANS_MAX = 500;

/** $1 ids, or null for any, $2 the id they come after, or null. Tries whose scheduler is dead: its job is not running any more. Locked, so that one scheduler adopts each. */
const orphans = {
  name: "orphaned-tries",
  text: `
select ti.id, ti.state, ti.executor, ti.external_executor_id as "externalExecutorId"
  from task_instance ti left join job j on j.id = ti.queued_by_job_id
 where ti.state in ('queued', 'running', 'restarting') and (j.id is null or j.state <> 'running')
   and ($1::uuid[] is null or ti.id = any($1)) and ($2::uuid is null or ti.id > $2)
 order by ti.id limit ${ORPHANS_MAX}
 for update of ti skip locked`,
};

export async function lockOrphans(db: Db, ids: readonly string[] | null, after: string | null = null): Promise<Orphan[]> {
  return (await db.query<Orphan>(orphans, [ids, after])).rows;
}

const adopt = {
  name: "adopt-tries",
  text: "update task_instance set queued_by_job_id = $2, updated_at = now() where id = any($1::uuid[])",
};

export async function adoptTries(tx: Db, ids: readonly string[], jobId: number): Promise<void> {
  await tx.query(adopt, [ids, jobId]);
}

/** $1 ids, $2 their ids in the executors' outside systems. A try that has ended keeps its own. */
const launches = {
  name: "record-launches",
  text: `
with held as materialized (
  select ti.id, l.external_id
    from task_instance ti join unnest($1::uuid[], $2::text[]) as l(id, external_id) on ti.id = l.id
   where ti.state in ('queued', 'running', 'restarting')
   order by ti.id
   for no key update of ti
)
update task_instance ti set external_executor_id = held.external_id, updated_at = now() from held where ti.id = held.id`,
};

/** Records the outside systems' ids of launched tries. */
export async function recordLaunches(db: Db, launched: readonly { id: string; externalExecutorId: string }[]): Promise<void> {
  await db.query(launches, [launched.map(({ id }) => id), launched.map(({ externalExecutorId }) => externalExecutorId)]);
}
