import { z } from "@hono/zod-openapi";
import { removeDag } from "../../../scheduler/commands/index.ts";
import {
  countRunsByState,
  DAG_ORDER_KEYS,
  type DagRow,
  type Db,
  findDagRow,
  findVersionRow,
  listDags,
  listTags,
  setPaused,
} from "../../../store/index.ts";
import { type Api, endpoint, noContent } from "../../endpoint.ts";
import { refuseEmptyFilters } from "../../read-request.ts";
import { noSuchDag } from "../../refuse.ts";
import { toDagVersion } from "../dag-versions/shapes.ts";
import { dagPath, text } from "../fields.ts";
import { masked, orderField, pageFields, readPageQuery, updateMask } from "../paging.ts";
import { dagChoice, dagFilters, readDagChoice, readDagFilters } from "./filters.ts";
import { dagDetailsShape, dagListShape, dagShape, toDag, toDagDetails } from "./shapes.ts";

const tag = "DAGs";
const patchBody = z.strictObject({ is_paused: z.boolean() }).openapi("DAGPatchBody");

export function dagRoutes(api: Api): void {
  const listed = async (db: Db, rows: DagRow[]) => {
    const facts = await api.facts.get(
      db,
      rows.map((row) => row.versionId),
    );
    return rows.map((row) => toDag(row, facts.get(row.versionId ?? "")));
  };
  const one = async (db: Db, dagId: string) => {
    const row = await findDagRow(db, dagId);
    const [answer] = row ? await listed(db, [row]) : [];
    if (!row || !answer) throw noSuchDag(dagId);
    return { row, answer };
  };

  endpoint(
    api,
    "get /api/v2/dags",
    {
      tag,
      summary: "DAGs",
      access: "viewer",
      query: z.object({ ...pageFields, ...orderField, ...dagFilters }),
      answer: dagListShape,
    },
    async ({ query, resources, options }) => {
      const page = readPageQuery(query, options, DAG_ORDER_KEYS);
      const { rows, total } = await listDags(resources.store, readDagFilters(query), page);
      return { dags: await listed(resources.store, rows), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/dags/{dag_id}",
    { tag, summary: "One DAG", access: "viewer", params: dagPath, answer: dagShape },
    async ({ params, resources }) => (await one(resources.store, params.dag_id)).answer,
  );

  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/details",
    { tag, summary: "One DAG with all details from its file", access: "viewer", params: dagPath, answer: dagDetailsShape },
    async ({ params, resources }) => {
      const { row, answer } = await one(resources.store, params.dag_id);
      if (row.versionId === null) throw noSuchDag(params.dag_id);
      const { graph } = await resources.dags.get(resources.store, row.versionId);
      const version = await findVersionRow(resources.store, row.versionId);
      const counts = await countRunsByState(resources.store, [row.dagId]);
      const active = counts.filter(({ state }) => state === "running" || state === "queued");
      return toDagDetails(answer, graph.dag, {
        activeRuns: active.reduce((sum, { count }) => sum + count, 0),
        version: version && toDagVersion(version),
      });
    },
  );

  endpoint(
    api,
    "patch /api/v2/dags/{dag_id}",
    {
      tag,
      summary: "Pauses or unpauses a DAG",
      access: "user",
      audit: "patch_dag",
      params: dagPath,
      query: z.object(updateMask),
      body: patchBody,
      answer: dagShape,
    },
    async ({ params, query, body, audit, resources }) => {
      const { is_paused: isPaused } = masked(body, query.update_mask, ["is_paused"]);
      if (isPaused !== undefined) {
        audit.extra = { is_paused: isPaused };
        const changed = await setPaused(resources.store, { dagId: params.dag_id }, isPaused);
        if (changed.length === 0) throw noSuchDag(params.dag_id);
      }
      return (await one(resources.store, params.dag_id)).answer;
    },
  );

  endpoint(
    api,
    "patch /api/v2/dags",
    {
      tag,
      summary: "Pauses or unpauses all DAGs that match the filter; ~ as dag_id_pattern means all",
      access: "user",
      audit: "patch_dags",
      query: z.object({ ...pageFields, ...orderField, ...updateMask, ...dagChoice }),
      body: patchBody,
      answer: dagListShape,
    },
    async ({ query, body, audit, resources, options }) => {
      refuseEmptyFilters(query, Object.keys(dagChoice));
      const page = readPageQuery(query, options, DAG_ORDER_KEYS);
      const { is_paused: isPaused } = masked(body, query.update_mask, ["is_paused"]);
      const { rows, total } = await listDags(resources.store, readDagChoice(query), page);
      const named = query.dag_id_pattern !== undefined || query.dag_id_prefix_pattern !== undefined;
      // As in Airflow, a request without a pattern changes nothing: an empty filter must not pause every DAG.
      if (!named || isPaused === undefined) return { dags: [], total_entries: 0 };
      const dagIds = await setPaused(resources.store, readDagChoice(query), isPaused);
      audit.extra = { is_paused: isPaused, dag_ids: dagIds };
      const changed = rows.map((row) => ({ ...row, isPaused: dagIds.includes(row.dagId) ? isPaused : row.isPaused }));
      return { dags: await listed(resources.store, changed), total_entries: total };
    },
  );

  endpoint(
    api,
    "delete /api/v2/dags/{dag_id}",
    {
      tag,
      summary: "Deletes a DAG with its runs; if its file still exists, the DAG is created again",
      access: "user",
      audit: "delete_dag",
      params: dagPath,
      answer: z.null(),
    },
    async ({ params, resources, c }) => {
      await removeDag(resources.store, params.dag_id);
      return noContent(c);
    },
  );

  endpoint(
    api,
    "get /api/v2/dagTags",
    {
      tag,
      summary: "Tags in use",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        tag_name_pattern: text.optional(),
        tag_name_prefix_pattern: text.optional(),
      }),
      answer: z.object({ tags: z.array(z.string()), total_entries: z.int() }).openapi("DAGTagCollectionResponse"),
    },
    async ({ query, resources, options }) => {
      const page = readPageQuery(query, options, ["name"] as const, [{ key: "name", descending: false }]);
      const filter = { pattern: query.tag_name_pattern, prefix: query.tag_name_prefix_pattern };
      const { rows, total } = await listTags(resources.store, filter, page);
      return { tags: rows.map((row) => row.name), total_entries: total };
    },
  );
}
