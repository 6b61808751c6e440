import type { JsonValue } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type ElementRef = { dagRunId: number; taskId: string; index: number };
export type Element = ElementRef & { value: JsonValue };

/**
 * $1 dag run ids, $2 task ids, $3 positions, side by side. A result is read once for all requested positions: a whole batch of
 * tries may be mapped over one list. An object's element is [key, value]. A mapped task's list is what its instances returned, in
 * the order of their map indexes.
 */
const statement = {
  name: "find-elements",
  text: `
with wanted as (
  select dag_run_id, task_id, array_agg(distinct position) as positions
    from unnest($1::bigint[], $2::text[], $3::int[]) as w(dag_run_id, task_id, position) group by dag_run_id, task_id
), whole as materialized (
  select w.*, x.value, json_typeof(x.value) as kind
    from wanted w join xcom x on x.dag_run_id = w.dag_run_id and x.task_id = w.task_id and x.map_index = -1 and x.key = 'return_value'
)
select w.dag_run_id as "dagRunId", w.task_id as "taskId", (e.number - 1)::int as index, e.value
  from whole w cross join lateral json_array_elements(w.value) with ordinality as e(value, number)
 where w.kind = 'array' and e.number - 1 = any(w.positions)
union all
select w.dag_run_id, w.task_id, (e.number - 1)::int, json_build_array(e.key, e.value)
  from whole w cross join lateral json_each(w.value) with ordinality as e(key, value, number)
 where w.kind = 'object' and e.number - 1 = any(w.positions)
union all
select w.dag_run_id, w.task_id, e.position::int, e.value
  from wanted w cross join lateral (
    select row_number() over (order by x.map_index) - 1 as position, x.value from xcom x
     where x.dag_run_id = w.dag_run_id and x.task_id = w.task_id and x.map_index >= 0 and x.key = 'return_value'
  ) e
 where e.position = any(w.positions)`,
};

/** Single elements of results, without the rest of them. */
export async function findElements(db: Db, wanted: readonly ElementRef[]): Promise<Element[]> {
  if (wanted.length === 0) return [];
  return (
    await db.query<Element>(statement, [wanted.map((w) => w.dagRunId), wanted.map((w) => w.taskId), wanted.map((w) => w.index)])
  ).rows;
}
