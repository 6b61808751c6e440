import { type Config, sensitiveNames } from "../../../config/index.ts";
import { createNameRule, hideSecrets } from "../../../platform/index.ts";
import type { BackfillFacts } from "../../../store/index.ts";

/** A backfill as the commands print it: as in the API, what its conf's names call a secret is hidden. */
export function backfillRow(backfill: BackfillFacts, config: Config) {
  return {
    id: backfill.id,
    dag_id: backfill.dagId,
    from_date: backfill.fromDate,
    to_date: backfill.toDate,
    dates: backfill.dateCount,
    reprocess_behavior: backfill.reprocessBehavior,
    run_backwards: backfill.runBackwards,
    max_active_runs: backfill.maxActiveRuns,
    dag_run_conf: hideSecrets(backfill.dagRunConf, createNameRule(sensitiveNames(config))),
    is_paused: backfill.isPaused,
    created_at: backfill.createdAt,
    completed_at: backfill.completedAt,
  };
}
