import { z } from "@hono/zod-openapi";
import type { SerializedDag } from "../../../contracts/index.ts";
import type { DagRow, VersionFacts } from "../../../store/index.ts";
import { describe, isPeriodic } from "../../../timetables/index.ts";
import { type DagVersionAnswer, dagVersionShape } from "../dag-versions/shapes.ts";
import { count, iso, isoOrNull, when } from "../fields.ts";

const dagTag = z.object({ name: z.string(), dag_id: z.string(), dag_display_name: z.string() }).openapi("DagTagResponse");

export const dagShape = z
  .object({
    dag_id: z.string(),
    dag_display_name: z.string(),
    is_paused: z.boolean(),
    is_stale: z.boolean(),
    last_parsed_time: when.nullable(),
    last_parse_duration: z.number().nullable(),
    last_expired: when.nullable(),
    bundle_name: z.string().nullable(),
    bundle_version: z.string().nullable(),
    relative_fileloc: z.string().nullable(),
    fileloc: z.string(),
    description: z.string().nullable(),
    timetable_summary: z.string().nullable(),
    timetable_description: z.string().nullable(),
    timetable_partitioned: z.boolean(),
    timetable_periodic: z.boolean(),
    tags: z.array(dagTag),
    max_active_tasks: z.int(),
    max_active_runs: z.int().nullable(),
    max_consecutive_failed_dag_runs: z.int(),
    has_task_concurrency_limits: z.boolean(),
    has_import_errors: z.boolean(),
    is_backfillable: z.boolean(),
    allowed_run_types: z.array(z.string()).nullable(),
    next_dagrun_logical_date: when.nullable(),
    next_dagrun_data_interval_start: when.nullable(),
    next_dagrun_data_interval_end: when.nullable(),
    next_dagrun_run_after: when.nullable(),
    owners: z.array(z.string()),
    file_token: z.string(),
  })
  .openapi("DAGResponse");
export type DagAnswer = z.infer<typeof dagShape>;

export const dagListShape = z.object({ dags: z.array(dagShape), total_entries: count }).openapi("DAGCollectionResponse");

export const dagDetailsShape = dagShape
  .extend({
    active_runs_count: z.int(),
    asset_expression: z.null(),
    catchup: z.boolean(),
    concurrency: z.int(),
    dag_run_timeout: z.string().nullable(),
    default_args: z.null(),
    doc_md: z.string().nullable(),
    start_date: when.nullable(),
    end_date: when.nullable(),
    is_favorite: z.boolean(),
    is_paused_upon_creation: z.boolean().nullable(),
    last_parsed: when.nullable(),
    latest_dag_version: dagVersionShape.nullable(),
    owner_links: z.record(z.string(), z.string()).nullable(),
    params: z.record(z.string(), z.unknown()).nullable(),
    render_template_as_native_obj: z.boolean(),
    rerun_with_latest_version: z.boolean().nullable(),
    template_search_path: z.array(z.string()).nullable(),
    timezone: z.string().nullable(),
  })
  .openapi("DAGDetailsResponse");

export function toDag(row: DagRow, facts: VersionFacts | undefined): DagAnswer {
  const displayName = row.displayName ?? row.dagId;
  return {
    dag_id: row.dagId,
    dag_display_name: displayName,
    is_paused: row.isPaused,
    is_stale: row.isStale,
    last_parsed_time: iso(row.lastParsedTime),
    last_parse_duration: null,
    last_expired: null,
    bundle_name: row.bundleName,
    bundle_version: null,
    relative_fileloc: row.filename,
    fileloc: row.filename,
    description: row.description,
    timetable_summary: facts ? facts.scheduleSummary : row.timetableSummary,
    timetable_description: row.timetableSummary,
    timetable_partitioned: false,
    timetable_periodic: isPeriodic(row.timetableType),
    tags: [...row.tags].sort().map((name) => ({ name, dag_id: row.dagId, dag_display_name: displayName })),
    max_active_tasks: row.maxActiveTasks,
    max_active_runs: row.maxActiveRuns,
    max_consecutive_failed_dag_runs: row.maxConsecutiveFailedDagRuns,
    has_task_concurrency_limits: facts?.hasTaskLimits ?? false,
    has_import_errors: row.hasImportErrors,
    is_backfillable: isPeriodic(row.timetableType),
    allowed_run_types: null,
    next_dagrun_logical_date: isoOrNull(row.nextDagrun),
    next_dagrun_data_interval_start: isoOrNull(row.nextDagrunDataIntervalStart),
    next_dagrun_data_interval_end: isoOrNull(row.nextDagrunDataIntervalEnd),
    next_dagrun_run_after: isoOrNull(row.nextDagrunCreateAfter),
    owners: row.owners,
    // Opaque to clients; identifies the file without revealing a path of this machine.
    file_token: Buffer.from(JSON.stringify([row.bundleName, row.filename])).toString("base64url"),
  };
}

export function toDagDetails(
  answer: DagAnswer,
  dag: SerializedDag,
  extras: { activeRuns: number; version: DagVersionAnswer | null },
): z.infer<typeof dagDetailsShape> {
  return {
    ...answer,
    timetable_description: describe(dag.timetable),
    active_runs_count: extras.activeRuns,
    asset_expression: null,
    catchup: dag.catchup,
    concurrency: dag.maxActiveTasks,
    dag_run_timeout: dag.dagrunTimeoutSec === null ? null : `PT${dag.dagrunTimeoutSec}S`,
    default_args: null,
    doc_md: dag.docMd,
    start_date: dag.startDate,
    end_date: dag.endDate,
    is_favorite: false,
    is_paused_upon_creation: dag.isPausedUponCreation,
    last_parsed: answer.last_parsed_time,
    latest_dag_version: extras.version,
    owner_links: {},
    params: paramsOf(dag),
    render_template_as_native_obj: false,
    rerun_with_latest_version: null,
    template_search_path: null,
    timezone: dag.timezone,
  };
}

/** In Airflow's format: value, schema and description of each param; the value of a required param is null. */
export function paramsOf(dag: SerializedDag): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(dag.params).map(([name, param]) => [
      name,
      { value: param.value ?? null, schema: param.schema, description: param.description },
    ]),
  );
}
