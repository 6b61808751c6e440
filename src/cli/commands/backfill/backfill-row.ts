import type { BackfillFacts } from "../../../store/index.ts";

/** A backfill as the commands print it. */
export function backfillRow(backfill: BackfillFacts) {
  return {
    id: backfill.id,
    dag_id: backfill.dagId,
    from_date: backfill.fromDate,
    to_date: backfill.toDate,
    dates: backfill.dateCount,
    reprocess_behavior: backfill.reprocessBehavior,
    run_backwards: backfill.runBackwards,
    max_active_runs: backfill.maxActiveRuns,
    dag_run_conf: backfill.dagRunConf,
    is_paused: backfill.isPaused,
    created_at: backfill.createdAt,
    completed_at: backfill.completedAt,
  };
}
