import type { Db } from "../../store.ts";

/** $1 = how many at most, $2 = ids (null = all). deferred → scheduled, to fail in the next turn: the worker runs its callbacks and counts its retries. */
const statement = {
  name: "time-out-triggers",
  text: `
with late as materialized (
  select dag_run_id, task_id, map_index, trigger_timeout from task_instance
   where state = 'deferred' and trigger_timeout < now() and ($2::uuid[] is null or id = any($2))
   order by id limit $1
   for update skip locked
), resumed as (
  update task_instance ti
     set state = 'scheduled', scheduled_dttm = now(), end_date = null, duration = null, queue_attempts = 0, updated_at = now(),
         next_method = '__fail__', next_failure = 'timeout'
    from late
   where ti.dag_run_id = late.dag_run_id and ti.task_id = late.task_id and ti.map_index = late.map_index
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'scheduled') from (select 1 from resumed limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from resumed`,
};

/** Ends the wait of deferred tasks whose trigger took too long; returns how many. */
export async function timeOutTriggers(db: Db, limit: number, ids: readonly string[] | null = null): Promise<number> {
  return (await db.query<{ count: number }>(statement, [limit, ids])).rows[0]?.count ?? 0;
}

const late = {
  name: "late-waits",
  text: "select id from task_instance where state = 'deferred' and trigger_timeout < now() order by id",
};

/** The tries that `timeOutTriggers` means. */
export async function lateWaits(db: Db): Promise<string[]> {
  return (await db.query<{ id: string }>(late)).rows.map(({ id }) => id);
}
