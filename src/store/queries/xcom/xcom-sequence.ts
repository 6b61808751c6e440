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
/** All of them in the newest run that has any: this one or an earlier one by logical date. */
const allWithPrior = {
  name: "xcom-sequence-prior",
  text: `
with newest as (
  select r.id from dag_run this
    join dag_run r on r.dag_id = this.dag_id and (r.id = this.id or r.logical_date < this.logical_date)
   where this.dag_id = $1 and this.run_id = $2
     and exists (select 1 from xcom x where x.dag_run_id = r.id and x.task_id = $3 and x.key = $4)
   order by r.logical_date desc nulls last limit 1
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

export async function listXcomValues(db: Db, ref: XcomSequenceRef, includePriorDates: boolean): Promise<JsonValue[]> {
  const { rows } = await db.query<{ value: JsonValue }>(includePriorDates ? allWithPrior : all, parametersOf(ref));
  return rows.map((row) => row.value);
}
