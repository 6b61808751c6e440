import type { Db } from "../../store.ts";

/** $1 the triggerer's job, $2 trigger ids (null = all of its), $3 deaths to add. */
const release = {
  name: "release-triggers",
  text: `
with free as (
  update trigger t set triggerer_id = null, free_since = now(), deaths = t.deaths + $3
    from (select id from trigger where triggerer_id = $1 and ($2::bigint[] is null or id = any($2)) order by id for update) own
   where t.id = own.id
  returning 1
), told as materialized (select pg_notify('baram_triggerer', 'new') from (select 1 from free limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from free`,
};

/** Releases triggers, so that any triggerer may take them. `deaths` 1 = the process that ran them died. */
export async function releaseTriggers(db: Db, jobId: number, ids: readonly number[] | null, deaths: 0 | 1 = 0): Promise<number> {
  return (await db.query<{ count: number }>(release, [jobId, ids, deaths])).rows[0]?.count ?? 0;
}

const ofDead = {
  name: "release-triggers-of-the-dead",
  text: `
with free as (
  update trigger t set triggerer_id = null, free_since = now()
    from (select t.id from trigger t join job j on j.id = t.triggerer_id where j.state <> 'running' order by t.id for update of t skip locked) lost
   where t.id = lost.id
  returning 1
), told as materialized (select pg_notify('baram_triggerer', 'new') from (select 1 from free limit 1) one)
select count(*)::int as count, (select count(*) from told) as told from free`,
};

/** Frees the triggers of triggerers whose job has ended. */
export async function releaseTriggersOfTheDead(db: Db): Promise<number> {
  return (await db.query<{ count: number }>(ofDead)).rows[0]?.count ?? 0;
}
