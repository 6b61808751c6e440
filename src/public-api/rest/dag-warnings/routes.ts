import { z } from "@hono/zod-openapi";
import { DAG_WARNING_ORDER_KEYS, DAG_WARNING_TYPES, listDagWarnings } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { count, iso, text, when } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";

const dagWarningShape = z
  .object({
    dag_id: z.string(),
    dag_display_name: z.string(),
    warning_type: z.enum(DAG_WARNING_TYPES),
    message: z.string(),
    timestamp: when,
  })
  .openapi("DAGWarningResponse");

export function dagWarningRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/dagWarnings",
    {
      tag: "DAG warnings",
      summary: "Why tasks of loaded DAGs wait: pools that do not exist or are too small, executors that are not configured",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        dag_id: text.optional(),
        warning_type: z.enum(DAG_WARNING_TYPES).optional(),
      }),
      answer: z.object({ dag_warnings: z.array(dagWarningShape), total_entries: count }).openapi("DAGWarningCollectionResponse"),
    },
    async ({ query, resources, options }) => {
      const page = readPageQuery(query, options, DAG_WARNING_ORDER_KEYS);
      const filter = { dagId: query.dag_id, warningType: query.warning_type };
      const { rows, total } = await listDagWarnings(resources.store, filter, page, resources.executors);
      const dagWarnings = rows.map((row) => ({
        dag_id: row.dagId,
        dag_display_name: row.dagDisplayName,
        warning_type: row.warningType,
        message: row.message,
        timestamp: iso(row.timestamp),
      }));
      return { dag_warnings: dagWarnings, total_entries: total };
    },
  );
}
