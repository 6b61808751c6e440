import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** What happens to a date whose run exists and has ended: it is left as it is, run again if it failed, or run again in any case. */
export const REPROCESS_BEHAVIORS = ["none", "failed", "completed"] as const;
export type ReprocessBehavior = (typeof REPROCESS_BEHAVIORS)[number];

export type NewBackfill = {
  dagId: string;
  /** Bounds of the logical dates, both inclusive. */
  fromDate: Date;
  toDate: Date;
  /** null: new runs get no conf, and existing ones keep theirs. */
  dagRunConf: JsonObject | null;
  reprocessBehavior: ReprocessBehavior;
  maxActiveRuns: number;
  /** The newest date first. */
  runBackwards: boolean;
  /** Runs that are processed again take the DAG's current version; else each keeps its own. New ones always have the current. */
  runOnLatestVersion: boolean;
  triggeringUserName: string | null;
};

export type BackfillDate = { logicalDate: Date; dataIntervalStart: Date; dataIntervalEnd: Date; runAfter: Date };

/** $1..$9 the backfill, $10..$13 its dates in the order of their ordinals. No row = the DAG has an active one. */
const statement = {
  name: "insert-backfill",
  text: `
with made as (
  insert into backfill (dag_id, from_date, to_date, dag_run_conf, reprocess_behavior, max_active_runs, run_backwards, run_on_latest_version,
      triggering_user_name, date_count)
  values ($1, $2, $3, $4::json, $5, $6, $7, $8, $9, cardinality($10::timestamptz[]))
  on conflict (dag_id) where completed_at is null do nothing
  returning id
), dates as (
  insert into backfill_dag_run (backfill_id, sort_ordinal, logical_date, data_interval_start, data_interval_end, run_after)
  select made.id, d.ordinal, d.logical_date, d.interval_start, d.interval_end, d.run_after
    from made, unnest($10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[]) with ordinality
      as d(logical_date, interval_start, interval_end, run_after, ordinal)
)
select id from made`,
};

/** Returns the new backfill's id, or null if the DAG has an active one: then nothing was written. */
export async function insertBackfill(tx: Db, backfill: NewBackfill, dates: readonly BackfillDate[]): Promise<number | null> {
  const { rows } = await tx.query<{ id: number }>(statement, [
    backfill.dagId,
    backfill.fromDate,
    backfill.toDate,
    backfill.dagRunConf === null ? null : JSON.stringify(backfill.dagRunConf),
    backfill.reprocessBehavior,
    backfill.maxActiveRuns,
    backfill.runBackwards,
    backfill.runOnLatestVersion,
    backfill.triggeringUserName,
    dates.map((date) => date.logicalDate),
    dates.map((date) => date.dataIntervalStart),
    dates.map((date) => date.dataIntervalEnd),
    dates.map((date) => date.runAfter),
  ]);
  return rows[0]?.id ?? null;
}
