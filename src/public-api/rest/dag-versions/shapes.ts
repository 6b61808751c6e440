import { z } from "@hono/zod-openapi";
import type { DagVersionRow } from "../../../store/index.ts";
import { count, iso, when } from "../fields.ts";

export const dagVersionShape = z
  .object({
    id: z.uuid(),
    version_number: z.int(),
    dag_id: z.string(),
    bundle_name: z.string().nullable(),
    bundle_version: z.string().nullable(),
    created_at: when,
    dag_display_name: z.string(),
    bundle_url: z.string().nullable(),
  })
  .openapi("DagVersionResponse");
export type DagVersionAnswer = z.infer<typeof dagVersionShape>;

export const dagVersionListShape = z
  .object({ dag_versions: z.array(dagVersionShape), total_entries: count })
  .openapi("DAGVersionCollectionResponse");

export const dagSourceShape = z
  .object({
    content: z.string().nullable(),
    dag_id: z.string(),
    version_number: z.int().nullable(),
    dag_display_name: z.string(),
  })
  .openapi("DAGSourceResponse");

export function toDagVersion(row: DagVersionRow): DagVersionAnswer {
  return {
    id: row.id,
    version_number: row.versionNumber,
    dag_id: row.dagId,
    bundle_name: row.bundleName,
    bundle_version: null,
    created_at: iso(row.createdAt),
    dag_display_name: row.dagDisplayName,
    bundle_url: null,
  };
}

/** The DAG version of a row that was joined with it; null = the row has none. */
export function versionOf(row: {
  dagId: string;
  dagDisplayName: string;
  versionId: string | null;
  versionNumber: number | null;
  versionCreatedAt: Date | null;
  bundleName: string | null;
}): DagVersionAnswer | null {
  const { versionId, versionNumber, versionCreatedAt } = row;
  if (versionId === null || versionNumber === null || versionCreatedAt === null) return null;
  return toDagVersion({
    id: versionId,
    dagId: row.dagId,
    dagDisplayName: row.dagDisplayName,
    versionNumber,
    bundleName: row.bundleName,
    createdAt: versionCreatedAt,
  });
}
