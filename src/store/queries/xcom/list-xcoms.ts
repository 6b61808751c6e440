import type { JsonValue } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { allOf, type Listed, matching, oneOf, type Page, readPage, send, sql, startingWith } from "../compose.ts";
import { type RunDateRanges, runRangeConditions } from "../dag-run/list-runs.ts";

export type XcomRow = {
  key: string;
  timestamp: Date;
  logicalDate: Date | null;
  runAfter: Date;
  mapIndex: number;
  taskId: string;
  dagId: string;
  dagDisplayName: string;
  runId: string;
  versionId: string | null;
};

export type XcomFilter = {
  dagIds?: readonly string[];
  runIds?: readonly string[];
  taskIds?: readonly string[];
  keys?: readonly string[];
  keyPattern?: string;
  keyPrefix?: string;
  runIdPattern?: string;
  taskIdPattern?: string;
  mapIndexes?: readonly number[];
  ranges: RunDateRanges;
};

const columns = sql`x.key, x."timestamp", r.logical_date as "logicalDate", r.run_after as "runAfter", x.map_index as "mapIndex", x.task_id as "taskId",
  r.dag_id as "dagId", coalesce(d.display_name, r.dag_id) as "dagDisplayName", r.run_id as "runId", r.created_dag_version_id as "versionId"`;
const joins = sql`left join dag_run r on r.id = x.dag_run_id left join dag d on d.dag_id = r.dag_id`;
const from = sql`xcom x ${joins}`;
const chosen = {
  key: sql`x.dag_run_id, x.task_id, x.map_index, x.key`,
  counted: sql`xcom x`,
  shown: sql`cross join lateral (
    select * from xcom t where t.dag_run_id = page.dag_run_id and t.task_id = page.task_id and t.map_index = page.map_index and t.key = page.key limit 1) x ${joins}`,
};
const orderable = {
  dag_id: sql`r.dag_id`,
  run_id: sql`r.run_id`,
  task_id: sql`x.task_id`,
  map_index: sql`x.map_index`,
  key: sql`x.key`,
  timestamp: sql`x."timestamp"`,
};
export type XcomOrderKey = keyof typeof orderable;
export const XCOM_ORDER_KEYS = Object.keys(orderable) as XcomOrderKey[];

/** Without the values, which may be large. */
export async function listXcoms(db: Db, filter: XcomFilter, page: Page<XcomOrderKey>): Promise<Listed<XcomRow>> {
  const ofRuns = [
    ...oneOf(sql`r.dag_id`, filter.dagIds),
    ...oneOf(sql`r.run_id`, filter.runIds),
    ...matching(sql`r.run_id`, filter.runIdPattern),
    ...runRangeConditions(filter.ranges),
  ];
  const where = [
    ...oneOf(sql`x.task_id`, filter.taskIds),
    ...oneOf(sql`x.key`, filter.keys),
    ...oneOf(sql`x.map_index`, filter.mapIndexes),
    ...matching(sql`x.key`, filter.keyPattern),
    ...startingWith(sql`x.key`, filter.keyPrefix),
    ...matching(sql`x.task_id`, filter.taskIdPattern),
  ];
  if (ofRuns.length > 0) where.push(sql`x.dag_run_id in (select r.id from dag_run r where ${allOf(ofRuns)})`);
  const needsRun = page.order.some(({ key }) => key === "dag_id" || key === "run_id");
  return readPage<XcomRow, XcomOrderKey>(db, {
    columns,
    from,
    where,
    page,
    orderable,
    tieBreak: [sql`x.dag_run_id`, sql`x.task_id`, sql`x.map_index`, sql`x.key`],
    chosen: { ...chosen, from: needsRun ? sql`xcom x join dag_run r on r.id = x.dag_run_id` : sql`xcom x` },
  });
}

export type XcomPlace = { dagId: string; runId: string; taskId: string; mapIndex: number; key: string };

export async function findXcomEntry(db: Db, place: XcomPlace): Promise<(XcomRow & { value: JsonValue }) | null> {
  const rows = await send<XcomRow & { value: JsonValue }>(
    db,
    sql`select ${columns}, x.value from ${from}
         where r.dag_id = ${place.dagId} and r.run_id = ${place.runId} and x.task_id = ${place.taskId}
           and x.map_index = ${place.mapIndex} and x.key = ${place.key}`,
  );
  return rows[0] ?? null;
}
