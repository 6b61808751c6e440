import type { Db } from "../../store.ts";
import { RUN_COLUMNS, type RunFacts } from "../dag-run/find-run.ts";
import { ASIDE_BACKFILLS } from "../set-aside/scope.ts";
import type { BackfillDate } from "./insert-backfill.ts";

export type OpenDate = BackfillDate & { ordinal: number };
/** Airflow's words for why a date got no run. */
export type NoRunReason = "in flight" | "already exists" | "unknown";
export type FilledDate = { ordinal: number; dagRunId: number | null; reason: NoRunReason | null };

const open = {
  name: "open-backfill-dates",
  text: `
select sort_ordinal as ordinal, logical_date as "logicalDate", data_interval_start as "dataIntervalStart", data_interval_end as "dataIntervalEnd",
       run_after as "runAfter"
  from backfill_dag_run where backfill_id = $1 and sort_ordinal > $2 order by sort_ordinal limit $3`,
};

/** The next dates to decide. Call under the backfill's lock. */
export async function openDates(tx: Db, id: number, filledCount: number, limit: number): Promise<OpenDate[]> {
  return (await tx.query<OpenDate>(open, [id, filledCount, limit])).rows;
}

/** In the order of their keys: two such locks cannot deadlock. */
const existing = {
  name: "lock-runs-of-dates",
  text: `select ${RUN_COLUMNS} from dag_run r where r.dag_id = $1 and r.logical_date = any($2::timestamptz[]) order by r.id for no key update`,
};

export async function lockRunsOfDates(tx: Db, dagId: string, dates: readonly Date[]): Promise<RunFacts[]> {
  return (await tx.query<RunFacts>(existing, [dagId, [...dates]])).rows;
}

/** $1 backfill, $2..$4 what became of its next dates: ordinals, runs, reasons. */
const record = {
  name: "record-filled-dates",
  text: `
with filled as (
  update backfill_dag_run d set dag_run_id = f.dag_run_id, exception_reason = f.reason
    from unnest($2::int[], $3::bigint[], $4::text[]) as f(ordinal, dag_run_id, reason)
   where d.backfill_id = $1 and d.sort_ordinal = f.ordinal
  returning d.sort_ordinal
)
update backfill b set filled_count = greatest(b.filled_count, (select max(sort_ordinal) from filled)), updated_at = now() where b.id = $1`,
};

export async function recordFilled(tx: Db, id: number, dates: readonly FilledDate[]): Promise<void> {
  await tx.query(record, [
    id,
    dates.map((date) => date.ordinal),
    dates.map((date) => date.dagRunId),
    dates.map((date) => date.reason),
  ]);
}

const unfilled = {
  name: "unfilled-backfills",
  text: `select id from backfill where completed_at is null and filled_count < date_count and id <> all(${ASIDE_BACKFILLS}) order by id`,
};

/** Active backfills with dates that nobody has decided yet. */
export async function unfilledBackfills(db: Db): Promise<number[]> {
  return (await db.query<{ id: number }>(unfilled)).rows.map((row) => row.id);
}

/** $1 run, $2 backfill, $3 ordinal, $4 conf (null = its own), $5 version (null = its own), $6 that version's time limit. */
const join = {
  name: "join-backfill",
  text: `
update dag_run
   set backfill_id = $2, backfill_ordinal = $3, run_type = 'backfill', triggered_by = 'backfill', conf = coalesce($4::json, conf),
       created_dag_version_id = coalesce($5, created_dag_version_id), timeout_sec = case when $5::uuid is null then timeout_sec else $6 end,
       updated_at = now()
 where id = $1`,
};

export type Joining = {
  dagRunId: number;
  backfillId: number;
  ordinal: number;
  conf: Record<string, unknown> | null;
  version: { id: string; timeoutSec: number | null } | null;
};

/** Makes an existing run one of the backfill's. Call under the run's lock, with the run cleared, and restart it after. */
export async function joinBackfill(tx: Db, joining: Joining): Promise<void> {
  const { dagRunId, backfillId, ordinal, conf, version } = joining;
  const confText = conf === null ? null : JSON.stringify(conf);
  await tx.query(join, [dagRunId, backfillId, ordinal, confText, version?.id ?? null, version?.timeoutSec ?? null]);
}
