import type { JsonValue, XcomRef } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** One key of all of a task's instances, in the order of their map indexes: what a mapped task returned, as a list. */
export type XcomSequenceRef = Omit<XcomRef, "mapIndex">;

/** $1 dag, $2 run, $3 task, $4 key. */
const from = `from dag_run r join xcom x on x.dag_run_id = r.id
 where r.dag_id = $1 and r.run_id = $2 and x.task_id = $3 and x.key = $4`;
/** $5 map index; null = all. */
const count = {
  name: "count-xcoms",
  text: `select count(*)::int as count ${from} and ($5::int is null or x.map_index = $5)`,
};
/** $5 from the end, $6 how many to pass over. */
const item = {
  name: "xcom-item",
  text: `select x.value ${from} order by case when $5 then -x.map_index else x.map_index end offset $6 limit 1`,
};
const all = { name: "xcom-sequence", text: `select x.value ${from} order by x.map_index` };
/** The newest run that has any: this one or an earlier one by logical date. */
const newest = `
  select r.id from dag_run this
    join dag_run r on r.dag_id = this.dag_id and (r.id = this.id or r.logical_date < this.logical_date)
   where this.dag_id = $1 and this.run_id = $2
     and exists (select 1 from xcom x where x.dag_run_id = r.id and x.task_id = $3 and x.key = $4)
   order by r.logical_date desc nulls last limit 1`;
const allWithPrior = {
  name: "xcom-sequence-prior",
  text: `
with newest as (${newest}
)
select x.value from newest join xcom x on x.dag_run_id = newest.id and x.task_id = $3 and x.key = $4 order by x.map_index`,
};

const parametersOf = (ref: XcomSequenceRef) => [ref.dagId, ref.runId, ref.taskId, ref.key];

export async function countXcoms(db: Db, ref: XcomSequenceRef, mapIndex: number | null): Promise<number> {
  const { rows } = await db.query<{ count: number }>(count, [...parametersOf(ref), mapIndex]);
  return rows[0]?.count ?? 0;
}

/** A negative `offset` counts from the end, -1 being the last. Wrapped, since a stored null is a value too. */
export async function findXcomItem(db: Db, ref: XcomSequenceRef, offset: number): Promise<{ value: JsonValue } | null> {
  const passed = offset < 0 ? -offset - 1 : offset;
  return (await db.query<{ value: JsonValue }>(item, [...parametersOf(ref), offset < 0, passed])).rows[0] ?? null;
}

/**
 * $5 the last map index that is known, $6 bytes of JSON after which a page is full: row by row, so that no value beyond it is read. A
 * value larger than that is a page of its own.
 */
const nextOf = (after: string) => `select x.map_index, x.value, octet_length(x.value::text) as size_bytes from xcom x
     where x.dag_run_id = r.id and x.task_id = $3 and x.key = $4 and x.map_index > ${after} order by x.map_index limit 1`;
const composePage = (name: string, run: string) => ({
  name,
  text: `
with recursive r as materialized (${run}),
page as (
  select r.id, n.map_index, n.value, n.size_bytes::bigint as page_bytes from r cross join lateral (${nextOf("coalesce($5::int, -2)")}) n
  union all
  select r.id, n.map_index, n.value, r.page_bytes + n.size_bytes from page r cross join lateral (${nextOf("r.map_index")}) n
   where r.page_bytes < $6
)
select (select run_id from dag_run where dag_run.id = page.id) as "runId", map_index as "mapIndex", value, page_bytes::float8 as "pageBytes"
  from page order by map_index`,
});
const pageOf = composePage("xcom-page", "select id from dag_run where dag_id = $1 and run_id = $2");
const pageWithPrior = composePage("xcom-page-prior", newest);

/** Values from after the map index `after` on, until they have `pageBytes` of JSON together. `next`: where to go on; null = that was all. */
export async function readXcomPage(
  db: Db,
  ref: XcomSequenceRef,
  { includePriorDates, after, pageBytes }: { includePriorDates: boolean; after: number | null; pageBytes: number },
): Promise<{ values: JsonValue[]; next: { runId: string; after: number } | null }> {
  type Row = { runId: string; mapIndex: number; value: JsonValue; pageBytes: number };
  const { rows } = await db.query<Row>(includePriorDates ? pageWithPrior : pageOf, [...parametersOf(ref), after, pageBytes]);
  const last = rows.at(-1);
  const isFull = last !== undefined && last.pageBytes >= pageBytes;
  return { values: rows.map((row) => row.value), next: isFull ? { runId: last.runId, after: last.mapIndex } : null };
}

export async function findXcomValues(db: Db, ref: XcomSequenceRef, includePriorDates: boolean): Promise<JsonValue[]> {
  const { rows } = await db.query<{ value: JsonValue }>(includePriorDates ? allWithPrior : all, parametersOf(ref));
  return rows.map((row) => row.value);
}
