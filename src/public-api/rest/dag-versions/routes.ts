import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { z } from "@hono/zod-openapi";
import { INT4_MAX } from "../../../contracts/index.ts";
import { findDag, findDagRow, findDagSource, findModule, listVersions, VERSION_ORDER_KEYS } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { noSuchDag, refusal } from "../../refuse.ts";
import { dagOrAllPath, dagPath, integer, orNull, text } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";
import { dagSourceShape, dagVersionListShape, dagVersionShape, toDagVersion } from "./shapes.ts";

const unzip = promisify(gunzip);
const tag = "DAG versions";
const numberField = integer(1, INT4_MAX);

export function dagVersionRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/dagVersions",
    {
      tag,
      summary: "Versions of a DAG, or of all with ~",
      access: "viewer",
      params: dagOrAllPath,
      query: z.object({ ...pageFields, ...orderField, version_number: numberField.optional(), bundle_name: text.optional() }),
      answer: dagVersionListShape,
    },
    async ({ params, query, resources, options }) => {
      const dagId = orNull(params.dag_id);
      if (dagId !== null && !(await findDag(resources.store, dagId))) throw noSuchDag(dagId);
      const page = readPageQuery(query, options, VERSION_ORDER_KEYS, [{ key: "version_number", descending: false }]);
      const filter = { dagId, versionNumber: query.version_number, bundleName: query.bundle_name };
      const { rows, total } = await listVersions(resources.store, filter, page);
      return { dag_versions: rows.map(toDagVersion), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/dagVersions/{version_number}",
    {
      tag,
      summary: "One version of a DAG",
      access: "viewer",
      params: dagPath.extend({ version_number: numberField }),
      answer: dagVersionShape,
    },
    async ({ params, resources }) => {
      const { dag_id: dagId, version_number: versionNumber } = params;
      const { rows } = await listVersions(resources.store, { dagId, versionNumber }, { limit: 1, offset: 0, order: [] });
      if (!rows[0]) throw refusal("dag_version_not_found", `DAG "${dagId}" has no version ${versionNumber}.`);
      return toDagVersion(rows[0]);
    },
  );

  endpoint(
    api,
    "get /api/v2/dagSources/{dag_id}",
    {
      tag: "DAG sources",
      summary: "The source of a DAG's file; for a version whose file has changed since, its bundled module",
      access: "viewer",
      params: dagPath,
      query: z.object({ version_number: numberField.optional() }),
      answer: dagSourceShape,
      alsoAnswers: ["text/plain"],
    },
    async ({ params, query, resources, c }) => {
      const { dag_id: dagId } = params;
      const dag = await findDagRow(resources.store, dagId);
      if (!dag) throw noSuchDag(dagId);
      const found = await findDagSource(resources.store, dagId, query.version_number ?? null);
      if (!found) throw refusal("dag_version_not_found", `DAG "${dagId}" has no version ${query.version_number ?? 1}.`);
      const module = found.source === null ? await findModule(resources.store, found.moduleHash) : null;
      const content = found.source ?? (module ? (await unzip(module.code)).toString("utf8") : null);
      if (/^text\/plain\b/.test(c.req.header("accept") ?? "")) return c.text(content ?? "");
      return {
        content,
        dag_id: dagId,
        version_number: found.versionNumber,
        dag_display_name: dag.displayName ?? dagId,
      };
    },
  );
}
