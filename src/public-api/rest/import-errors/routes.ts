import { z } from "@hono/zod-openapi";
import { findImportError, IMPORT_ERROR_ORDER_KEYS, type ImportErrorRow, listImportErrors } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { count, integer, iso, text, when } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";

const tag = "Import errors";
const importErrorShape = z
  .object({
    import_error_id: z.int(),
    timestamp: when,
    filename: z.string(),
    bundle_name: z.string().nullable(),
    stack_trace: z.string(),
    /** Not in Airflow: what went wrong and where, for readers who do not need the stack trace. */
    kind: z.string(),
    file: z.string(),
    line: z.int().nullable(),
    column: z.int().nullable(),
    message: z.string(),
  })
  .openapi("ImportErrorResponse");

export function importErrorRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/importErrors",
    {
      tag,
      summary: "DAG files that cannot be loaded",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        filename: text.optional(),
        bundle_name: text.optional(),
        filename_pattern: text.optional(),
        filename_prefix_pattern: text.optional(),
      }),
      answer: z
        .object({ import_errors: z.array(importErrorShape), total_entries: count })
        .openapi("ImportErrorCollectionResponse"),
    },
    async ({ query, resources, options }) => {
      const page = readPageQuery(query, options, IMPORT_ERROR_ORDER_KEYS);
      const filter = {
        filename: query.filename,
        bundleName: query.bundle_name,
        filenamePattern: query.filename_pattern,
        filenamePrefix: query.filename_prefix_pattern,
      };
      const { rows, total } = await listImportErrors(resources.store, filter, page);
      return { import_errors: rows.map(toImportError), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/importErrors/{import_error_id}",
    {
      tag,
      summary: "One import error",
      access: "viewer",
      params: z.object({ import_error_id: integer(0, Number.MAX_SAFE_INTEGER) }),
      answer: importErrorShape,
    },
    async ({ params, resources }) => {
      const row = await findImportError(resources.store, params.import_error_id);
      if (!row) throw refusal("import_error_not_found", `There is no import error ${params.import_error_id}.`);
      return toImportError(row);
    },
  );
}

function toImportError(row: ImportErrorRow): z.infer<typeof importErrorShape> {
  const place = row.line === null ? row.file : `${row.file}:${row.line}${row.column === null ? "" : `:${row.column}`}`;
  return {
    import_error_id: row.id,
    timestamp: iso(row.timestamp),
    filename: row.filename,
    bundle_name: row.bundleName,
    // Airflow's clients show only this field, so it contains everything.
    stack_trace: [`${place}: ${row.message}`, row.stacktrace].filter((text) => text !== "").join("\n"),
    kind: row.kind,
    file: row.file,
    line: row.line,
    column: row.column,
    message: row.message,
  };
}
