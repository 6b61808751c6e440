import { z } from "@hono/zod-openapi";
import { DAG_RUN_STATES, DagRunType, runIdSchema } from "../../../contracts/index.ts";
import { hideSecrets, type NameRule } from "../../../platform/index.ts";
import type { RunRow } from "../../../store/index.ts";
import { dagVersionShape, versionOf } from "../dag-versions/shapes.ts";
import { absent, count, iso, isoOrNull, note, optionalInstant, optionalJsonObject, when } from "../fields.ts";

export const dagRunShape = z
  .object({
    dag_run_id: z.string(),
    dag_id: z.string(),
    dag_display_name: z.string(),
    logical_date: when.nullable(),
    queued_at: when.nullable(),
    start_date: when.nullable(),
    end_date: when.nullable(),
    duration: z.number().nullable(),
    data_interval_start: when.nullable(),
    data_interval_end: when.nullable(),
    run_after: when,
    last_scheduling_decision: when.nullable(),
    run_type: z.enum(DagRunType),
    state: z.enum(DAG_RUN_STATES),
    triggered_by: z.string().nullable(),
    triggering_user_name: z.string().nullable(),
    conf: z.record(z.string(), z.unknown()).nullable(),
    note: z.string().nullable(),
    dag_versions: z.array(dagVersionShape),
    bundle_version: z.string().nullable(),
    partition_key: z.string().nullable(),
    partition_date: when.nullable(),
  })
  .openapi("DAGRunResponse");
export type DagRunAnswer = z.infer<typeof dagRunShape>;

/**
 * `total_entries` is exact up to `total_entries_limit`. Above that it may be an estimate, which is never so small that a client
 * that reads page by page stops too early.
 */
export const dagRunListShape = z
  .object({ dag_runs: z.array(dagRunShape), total_entries: count, total_entries_limit: count })
  .openapi("DAGRunCollectionResponse");

export const triggerBody = z
  .strictObject({
    dag_run_id: runIdSchema.nullable().optional(),
    logical_date: optionalInstant,
    data_interval_start: optionalInstant,
    data_interval_end: optionalInstant,
    run_after: optionalInstant,
    conf: optionalJsonObject,
    note: note.optional(),
    partition_key: absent,
  })
  .refine((body) => (body.data_interval_start ?? null) === null || (body.data_interval_end ?? null) !== null, {
    message: "data_interval_start and data_interval_end come together",
    path: ["data_interval_end"],
  })
  .refine((body) => (body.data_interval_end ?? null) === null || (body.data_interval_start ?? null) !== null, {
    message: "data_interval_start and data_interval_end come together",
    path: ["data_interval_start"],
  })
  .openapi("TriggerDAGRunPostBody");

export const patchRunBody = z
  .strictObject({ state: z.enum(["success", "failed", "queued"]).nullable().optional(), note: note.optional() })
  .openapi("DAGRunPatchBody");

export const clearRunBody = z
  .strictObject({
    dry_run: z.boolean().default(true),
    only_failed: z.boolean().default(false),
    only_new: z.literal(false).default(false),
    run_on_latest_version: z.boolean().nullable().optional(),
    note: note.optional(),
  })
  .openapi("DAGRunClearBody");

export function toDagRun(row: RunRow, rule: NameRule): DagRunAnswer {
  const version = versionOf(row);
  return {
    dag_run_id: row.runId,
    dag_id: row.dagId,
    dag_display_name: row.dagDisplayName,
    logical_date: isoOrNull(row.logicalDate),
    queued_at: isoOrNull(row.queuedAt),
    start_date: isoOrNull(row.startDate),
    end_date: isoOrNull(row.endDate),
    duration: row.duration,
    data_interval_start: isoOrNull(row.dataIntervalStart),
    data_interval_end: isoOrNull(row.dataIntervalEnd),
    run_after: iso(row.runAfter),
    last_scheduling_decision: isoOrNull(row.lastSchedulingDecision),
    run_type: row.runType,
    state: row.state,
    triggered_by: row.triggeredBy,
    triggering_user_name: row.triggeringUserName,
    conf: hideSecrets(row.conf, rule),
    note: row.note,
    dag_versions: version ? [version] : [],
    bundle_version: null,
    partition_key: null,
    partition_date: null,
  };
}
