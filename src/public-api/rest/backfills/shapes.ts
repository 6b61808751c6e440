import { z } from "@hono/zod-openapi";
import { COUNT_MAX, idSchema } from "../../../contracts/index.ts";
import { hideSecrets, type NameRule } from "../../../platform/index.ts";
import { type BackfillFacts, REPROCESS_BEHAVIORS } from "../../../store/index.ts";
import { count, iso, isoOrNull, optionalJsonObject, when, zonedInstant } from "../fields.ts";

const reprocessBehavior = z.enum(REPROCESS_BEHAVIORS).openapi("ReprocessBehavior");

export const backfillShape = z
  .object({
    id: count.min(0),
    dag_id: z.string(),
    dag_display_name: z.string(),
    from_date: when,
    to_date: when,
    dag_run_conf: z.record(z.string(), z.unknown()).nullable(),
    is_paused: z.boolean(),
    reprocess_behavior: reprocessBehavior,
    max_active_runs: z.int(),
    created_at: when,
    completed_at: when.nullable(),
    updated_at: when,
  })
  .openapi("BackfillResponse");
export type BackfillAnswer = z.infer<typeof backfillShape>;

export const backfillListShape = z
  .object({ backfills: z.array(backfillShape), total_entries: count })
  .openapi("BackfillCollectionResponse");

const dryRunShape = z
  .object({ logical_date: when.nullable(), partition_key: z.string().nullable(), partition_date: when.nullable() })
  .openapi("DryRunBackfillResponse");

export const dryRunListShape = z
  .object({ backfills: z.array(dryRunShape), total_entries: count })
  .openapi("DryRunBackfillCollectionResponse");

/** null in `run_on_latest_version` means Airflow's default for backfills: true. */
export const backfillBody = z
  .strictObject({
    dag_id: idSchema,
    from_date: zonedInstant,
    to_date: zonedInstant,
    run_backwards: z.boolean().default(false),
    dag_run_conf: optionalJsonObject,
    reprocess_behavior: reprocessBehavior.default("none"),
    max_active_runs: z.int().min(1, "at least one run must be allowed at a time").max(COUNT_MAX).default(10),
    run_on_latest_version: z.boolean().nullable().optional(),
  })
  .openapi("BackfillPostBody");

export function toBackfill(row: BackfillFacts, rule: NameRule): BackfillAnswer {
  return {
    id: row.id,
    dag_id: row.dagId,
    dag_display_name: row.dagDisplayName,
    from_date: iso(row.fromDate),
    to_date: iso(row.toDate),
    dag_run_conf: hideSecrets(row.dagRunConf, rule),
    is_paused: row.isPaused,
    reprocess_behavior: row.reprocessBehavior,
    max_active_runs: row.maxActiveRuns,
    created_at: iso(row.createdAt),
    completed_at: isoOrNull(row.completedAt),
    updated_at: iso(row.updatedAt),
  };
}
