import type { Db } from "../../store.ts";
import { ASIDE_BACKFILLS, ASIDE_RUNS, type Only } from "../set-aside/scope.ts";

/** $1 = backfills to look at (null = all). */
const isDone = `b.completed_at is null and b.filled_count >= b.date_count and ($1::bigint[] is null or b.id = any($1))
   and b.id <> all(${ASIDE_BACKFILLS})
   and not exists (select 1 from dag_run r where r.backfill_id = b.id and r.state in ('queued', 'running'))`;
const complete = {
  name: "complete-backfills",
  text: `update backfill b set completed_at = now(), updated_at = now() where ${isDone}`,
};
const done = { name: "done-backfills", text: `select b.id from backfill b where ${isDone} order by b.id` };

/**
 * Marks those backfills completed whose dates are all decided and whose runs have all ended; returns how many. Call outside
 * of the transaction that ends a run: of two that end the last two runs, the later one then sees both.
 */
export async function completeBackfills(db: Db, ids: readonly number[] | null): Promise<number> {
  return (await db.query(complete, [ids])).rowCount;
}

/** Those that `completeBackfills` would mark. */
export async function doneBackfills(db: Db, ids: readonly number[] | null): Promise<number[]> {
  return (await db.query<{ id: number }>(done, [ids])).rows.map(({ id }) => id);
}

/** $1 = the runs that are meant (null = all). */
const release = {
  name: "release-backfill-runs",
  text: `
with released as (
  update dag_run r set backfill_id = null, updated_at = now()
    from backfill b where r.state = 'queued' and r.backfill_id = b.id and b.completed_at is not null
     and ($1::bigint[] is null or r.id = any($1)) and r.id <> all(${ASIDE_RUNS})
  returning 1
), told as materialized (select pg_notify('baram_scheduler', 'run') from (select 1 from released limit 1) one)
select count(*)::int as count from told`,
};

/**
 * Detaches queued runs from completed backfills (they were cleared at the moment of completion), since nothing would start them.
 */
export async function releaseBackfillRuns(db: Db, runs: Only = null): Promise<void> {
  await db.query(release, [runs]);
}

const releasable = {
  name: "releasable-runs",
  text: `select r.id from dag_run r join backfill b on b.id = r.backfill_id
          where r.state = 'queued' and b.completed_at is not null and r.id <> all(${ASIDE_RUNS}) order by r.id`,
};

/** Those that `releaseBackfillRuns` means. */
export async function releasableRuns(db: Db): Promise<number[]> {
  return (await db.query<{ id: number }>(releasable)).rows.map(({ id }) => id);
}
