import { z } from "@hono/zod-openapi";
import { DAG_RUN_STATES, idSchema } from "../../../contracts/index.ts";
import type { DagFilter } from "../../../store/index.ts";
import { flag, many, text } from "../fields.ts";

/** The filters of a bulk change. */
export const dagChoice = {
  tags: many(text),
  tags_match_mode: z.enum(["any", "all"]).optional(),
  owners: many(text),
  dag_id_pattern: text.optional(),
  dag_id_prefix_pattern: text.optional(),
  exclude_stale: flag.optional(),
  paused: flag.optional(),
};

const choiceSchema = z.object(dagChoice);

export const dagFilters = {
  ...dagChoice,
  dag_display_name_pattern: text.optional(),
  dag_display_name_prefix_pattern: text.optional(),
  bundle_name: text.optional(),
  has_import_errors: flag.optional(),
  last_dag_run_state: z.enum(DAG_RUN_STATES).optional(),
  dag_run_state: many(z.enum(DAG_RUN_STATES)),
  timetable_type: many(idSchema),
};

const filterSchema = z.object(dagFilters);

export function readDagChoice(query: z.infer<typeof choiceSchema>): DagFilter {
  return {
    paused: query.paused,
    // Airflow's default: stale DAGs, whose file no longer exists, are not listed.
    excludeStale: query.exclude_stale ?? true,
    tags: query.tags,
    tagsMatchAll: query.tags_match_mode === "all",
    owners: query.owners,
    dagIdPattern: query.dag_id_pattern,
    dagIdPrefix: query.dag_id_prefix_pattern,
  };
}

export function readDagFilters(query: z.infer<typeof filterSchema>): DagFilter {
  return {
    ...readDagChoice(query),
    displayNamePattern: query.dag_display_name_pattern,
    displayNamePrefix: query.dag_display_name_prefix_pattern,
    bundleName: query.bundle_name,
    hasImportErrors: query.has_import_errors,
    lastRunState: query.last_dag_run_state,
    anyRunState: query.dag_run_state,
    timetableTypes: query.timetable_type,
  };
}
