import type { Db } from "../../store.ts";

/** $1 = backfills to look at (null = all). */
const complete = {
  name: "complete-backfills",
  text: `
update backfill b set completed_at = now(), updated_at = now()
 where b.completed_at is null and b.filled_count >= b.date_count and ($1::bigint[] is null or b.id = any($1))
   and not exists (select 1 from dag_run r where r.backfill_id = b.id and r.state in ('queued', 'running'))`,
};

/**
 * Marks those backfills completed whose dates are all decided and whose runs have all ended; returns how many. Call outside
 * of the transaction that ends a run: of two that end the last two runs, the later one then sees both.
 */
export async function completeBackfills(db: Db, ids: readonly number[] | null): Promise<number> {
  return (await db.query(complete, [ids])).rowCount;
}

const release = {
  name: "release-backfill-runs",
  text: `
with released as (
  update dag_run r set backfill_id = null, updated_at = now()
    from backfill b where r.state = 'queued' and r.backfill_id = b.id and b.completed_at is not null
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'run') from (select 1 from released limit 1) one)
select count(*)::int as count from told`,
};

/** Queued runs of completed backfills (cleared in the moment of completion) become runs like any other, else nobody starts them. */
export async function releaseBackfillRuns(db: Db): Promise<void> {
  await db.query(release);
}
