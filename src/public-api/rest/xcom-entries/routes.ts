import { z } from "@hono/zod-openapi";
import { XCOM_KEY_MAX } from "../../../contracts/index.ts";
import { hideSecrets } from "../../../platform/index.ts";
import { findXcomEntry, listXcoms, type VersionFacts, XCOM_ORDER_KEYS, type XcomRow } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import {
  count,
  flag,
  instant,
  iso,
  isoOrNull,
  many,
  mapIndexField,
  orNone,
  ranges,
  readDates,
  taskOrAllPath,
  taskPath,
  text,
  when,
} from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";
import { mustFindInstance } from "../task-instances/find-instance.ts";
import { displayNameOf } from "../version-facts.ts";

const tag = "XComs";
const base = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries" as const;
const DATES = ["logical_date", "run_after"] as const;
const keyField = z.string().min(1).max(XCOM_KEY_MAX);

const xcomShape = z
  .object({
    key: z.string(),
    timestamp: when,
    logical_date: when.nullable(),
    map_index: z.int(),
    task_id: z.string(),
    dag_id: z.string(),
    run_id: z.string(),
    dag_display_name: z.string(),
    task_display_name: z.string(),
    run_after: when,
  })
  .openapi("XComResponse");
const xcomValueShape = xcomShape.extend({ value: z.unknown() }).openapi("XComResponseNative");
const xcomListShape = z.object({ xcom_entries: z.array(xcomShape), total_entries: count }).openapi("XComCollectionResponse");

const listQuery = z.object({
  ...pageFields,
  ...orderField,
  ...ranges(DATES, instant),
  xcom_key: keyField.optional(),
  xcom_key_pattern: text.optional(),
  xcom_key_prefix_pattern: text.optional(),
  map_index: mapIndexField.optional(),
  map_index_filter: many(mapIndexField),
  run_id_pattern: text.optional(),
  task_id_pattern: text.optional(),
});

export function xcomRoutes(api: Api): void {
  const { store } = api.resources;

  endpoint(
    api,
    `get ${base}`,
    {
      tag,
      summary: "XComs without their values; ~ means all DAGs, runs or tasks",
      access: "viewer",
      params: taskOrAllPath,
      query: listQuery,
      answer: xcomListShape,
    },
    async ({ params, query, options, facts }) => {
      const path = { dag_id: params.dag_id, dag_run_id: params.dag_run_id, task_id: params.task_id };
      if (!Object.values(path).includes("~")) await mustFindInstance(store, path, query.map_index);
      const filter = {
        dagIds: orNone(params.dag_id),
        runIds: orNone(params.dag_run_id),
        taskIds: orNone(params.task_id),
        keys: query.xcom_key === undefined ? undefined : [query.xcom_key],
        keyPattern: query.xcom_key_pattern,
        keyPrefix: query.xcom_key_prefix_pattern,
        runIdPattern: query.run_id_pattern,
        taskIdPattern: query.task_id_pattern,
        mapIndexes: query.map_index === undefined ? query.map_index_filter : [query.map_index],
        ranges: readDates(query, DATES),
      };
      const { rows, total } = await listXcoms(store, filter, readPageQuery(query, options, XCOM_ORDER_KEYS));
      const versions = await facts.get(
        store,
        rows.map((row) => row.versionId),
      );
      return { xcom_entries: rows.map((row) => toXcom(row, versions.get(row.versionId ?? ""))), total_entries: total };
    },
  );

  endpoint(
    api,
    `get ${base}/{xcom_key}`,
    {
      tag,
      summary: "One XCom with its value, without what has a sensitive name: as JSON or, with stringify, as a string with JSON",
      access: "viewer",
      params: taskPath.extend({ xcom_key: keyField }),
      query: z.object({ map_index: mapIndexField.optional(), stringify: flag.optional(), deserialize: flag.optional() }),
      answer: xcomValueShape,
    },
    async ({ params, query, options, facts }) => {
      const { dag_id: dagId, dag_run_id: runId, task_id: taskId, xcom_key: key } = params;
      const mapIndex = query.map_index ?? -1;
      const found = await findXcomEntry(store, { dagId, runId, taskId, mapIndex, key });
      if (!found) {
        await mustFindInstance(store, params, mapIndex);
        throw refusal("xcom_not_found", `Task "${taskId}" of run "${runId}" has no XCom "${key}".`);
      }
      const versions = await facts.get(store, [found.versionId]);
      const shown = hideSecrets({ [key]: found.value }, options.isSensitiveName)[key];
      const value = query.stringify ? JSON.stringify(shown) : shown;
      return { ...toXcom(found, versions.get(found.versionId ?? "")), value };
    },
  );
}

function toXcom(row: XcomRow, facts: VersionFacts | undefined): z.infer<typeof xcomShape> {
  return {
    key: row.key,
    timestamp: iso(row.timestamp),
    logical_date: isoOrNull(row.logicalDate),
    map_index: row.mapIndex,
    task_id: row.taskId,
    dag_id: row.dagId,
    run_id: row.runId,
    dag_display_name: row.dagDisplayName,
    task_display_name: displayNameOf(facts, row.taskId),
    run_after: iso(row.runAfter),
  };
}
